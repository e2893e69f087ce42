//! Pages of a list: keyset on the id, with a token that is good only for the same caller, method and filters.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use guard::Call;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::Fault;

const DEFAULT: u64 = 50;
const LARGEST: u64 = 500;

/// Where a page starts and how long it is.
pub struct Page {
    /// Id of the last row of the page before; rows after it are wanted, ascending.
    pub after: Option<Uuid>,
    size: u64,
    binding: [u8; 16],
}

impl Page {
    /// `filters` are the other fields of the request as text. A page size of 0 means 50, the largest is 500.
    pub fn of(call: &Call, filters: &[&str], page_size: i32, page_token: &str) -> Result<Self, Fault> {
        let bad = || Fault::invalid("page_token", "PAGE_TOKEN_INVALID", "the page token is not one for this request");
        let size = u64::try_from(page_size).map_err(|_| Fault::invalid("page_size", "PAGE_SIZE", "the page size is negative"))?;
        let size = if size == 0 { DEFAULT } else { size.min(LARGEST) };
        let mut digest = Sha256::new().chain_update(call.method());
        let principal = call.principal();
        let bound = [&principal.branch, &principal.vendor, &principal.customer];
        for text in bound.iter().map(|b| b.as_deref().unwrap_or_default()).chain(filters.iter().copied()) {
            digest.update([0]);
            digest.update(text);
        }
        let mut binding = [0; 16];
        binding.iter_mut().zip(digest.finalize()).for_each(|(to, from)| *to = from);
        let after = if page_token.is_empty() {
            None
        } else {
            let bytes = BASE64_URL_SAFE_NO_PAD.decode(page_token).map_err(|_| bad())?;
            let (id, rest) = bytes.split_at_checked(16).ok_or_else(bad)?;
            if rest != mark(&binding, id) {
                return Err(bad());
            }
            Some(Uuid::from_slice(id).map_err(|_| bad())?)
        };
        Ok(Self { after, size, binding })
    }

    /// Rows to load: one more than the page has, to see whether another page follows.
    pub fn limit(&self) -> u64 {
        self.size.saturating_add(1)
    }

    /// Cuts the surplus row off and makes the token of the next page; empty when this was the last.
    pub fn cut<T>(&self, mut rows: Vec<T>, id: impl Fn(&T) -> Uuid) -> (Vec<T>, String) {
        let size = usize::try_from(self.size).unwrap_or(usize::MAX);
        if rows.len() <= size {
            return (rows, String::new());
        }
        rows.truncate(size);
        let token = rows.last().map(|row| {
            let id = id(row);
            let mut bytes = id.as_bytes().to_vec();
            bytes.extend(mark(&self.binding, id.as_bytes()));
            BASE64_URL_SAFE_NO_PAD.encode(bytes)
        });
        (rows, token.unwrap_or_default())
    }
}

fn mark(binding: &[u8; 16], id: &[u8]) -> Vec<u8> {
    Sha256::new()
        .chain_update(binding)
        .chain_update(id)
        .finalize()
        .iter()
        .take(16)
        .copied()
        .collect()
}
