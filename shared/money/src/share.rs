//! Parts that sum to the whole.

/// Why a whole cannot be shared out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ShareError {
    /// There is no part, or every weight is zero.
    #[error("there is no part that could take a share")]
    NoParts,
    /// The weights are absurd.
    #[error("the number is out of range")]
    Overflow,
}

/// Equal parts that sum to the whole; what is left over goes to the first ones, one unit each.
///
/// # Errors
/// [`ShareError::NoParts`] for zero parts.
pub fn split(whole: i64, parts: usize) -> Result<Vec<i64>, ShareError> {
    allocate(whole, &vec![1; parts])
}

/// Parts in proportion to the weights that sum to the whole: each the share cut off, then one unit more for the largest remainders,
/// ties to the earlier part. A negative whole gives the mirrored parts; a weight of zero gets nothing.
///
/// # Errors
/// [`ShareError`].
#[expect(
    clippy::arithmetic_side_effects,
    reason = "the product of 2^63 and 2^64 stays below 2^128, and parts lie below the whole"
)]
pub fn allocate(whole: i64, weights: &[u64]) -> Result<Vec<i64>, ShareError> {
    let total = weights
        .iter()
        .try_fold(0_u128, |sum, weight| sum.checked_add(u128::from(*weight)))
        .ok_or(ShareError::Overflow)?;
    let magnitude = u128::from(whole.unsigned_abs());
    // 2^63 × 2^64 stays below 2^128, so the product needs no check.
    let shares = weights
        .iter()
        .map(|weight| {
            let product = magnitude * u128::from(*weight);
            Some((product.checked_div(total)?, product.checked_rem(total)?))
        })
        .collect::<Option<Vec<_>>>()
        .filter(|shares| !shares.is_empty())
        .ok_or(ShareError::NoParts)?;
    let given: u128 = shares.iter().map(|(share, _)| share).sum();
    let left = usize::try_from(magnitude - given).map_err(|_| ShareError::Overflow)?;
    let mut order: Vec<usize> = (0..shares.len()).collect();
    order.sort_by_key(|index| std::cmp::Reverse(shares.get(*index).map_or(0, |(_, rest)| *rest)));
    let mut parts: Vec<i128> = shares
        .iter()
        .map(|(share, _)| i128::try_from(*share).map_err(|_| ShareError::Overflow))
        .collect::<Result<_, _>>()?;
    for index in order.into_iter().take(left) {
        if let Some(part) = parts.get_mut(index) {
            *part += 1;
        }
    }
    parts
        .into_iter()
        .map(|part| i64::try_from(if whole < 0 { -part } else { part }).map_err(|_| ShareError::Overflow))
        .collect()
}
