//! What a reading finds at its moment, and which of them stands (B4).

use rpc::Fault;
use uuid::Uuid;

use super::{
    chain::Chains,
    model::{ReadingState, Source},
    rules::Rules,
    store::reading,
};

/// A reading that is there.
#[derive(Clone, Copy, Debug)]
struct There {
    id: Uuid,
    value: i64,
    source: Source,
    rank: u8,
    state: ReadingState,
}

impl There {
    /// Whether it gives way: neither a bill nor a person has made it stand.
    const fn moves(&self) -> bool {
        matches!(self.state, ReadingState::Validated | ReadingState::Held)
    }
}

/// What a reading finds at its moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meeting {
    /// Nothing that counts.
    Free,
    /// What it says is known already, by a source of no lower rank.
    Repeat(Uuid),
    /// Readings of lower rank, which it replaces.
    Better,
    /// A reading of higher rank, which stands.
    Worse(Uuid),
    /// Another value of its rank, or one that a person or a bill has made stand.
    Clash,
}

/// Holds a reading against those of its moment.
fn held_against(there: &[There], value: i64, source: Source, rank: u8) -> Meeting {
    let live = || there.iter().filter(|t| t.state.is_live());
    if let Some(same) = live().find(|t| t.value == value && (t.rank >= rank || !t.moves())) {
        return Meeting::Repeat(same.id);
    }
    let said = there.iter().find(|t| t.value == value && t.source == source && !t.state.is_live());
    // A person has said that it is wrong.
    if let Some(said) = said.filter(|t| t.state != ReadingState::Replaced) {
        return Meeting::Repeat(said.id);
    }
    match live().max_by_key(|t| (t.rank, t.moves(), t.id)) {
        None => Meeting::Free,
        Some(best) if rank > best.rank && live().all(There::moves) => Meeting::Better,
        Some(best) if rank < best.rank => said.map_or(Meeting::Worse(best.id), |said| Meeting::Repeat(said.id)),
        Some(_) => Meeting::Clash,
    }
}

/// What a reading finds at its moment.
pub fn meet(chains: &mut Chains, rules: &Rules, installation: Uuid, at: i64, value: i64, source: Source) -> Result<Meeting, Fault> {
    let there = chains.at(installation, at).map(|link| {
        let source = link.row.source()?;
        Ok(There {
            id: link.row.id,
            value: link.row.value,
            source,
            rank: rules.trust(source).rank,
            state: link.row.state()?,
        })
    });
    let there = there.collect::<Result<Vec<_>, Fault>>()?;
    Ok(held_against(&there, value, source, rules.trust(source).rank))
}

/// Puts a reading into its chain and gives the id that it has there. What it meets moves: readings of lower rank are replaced; one that is neither billed nor
/// accepted by a person is held together with another value of its rank. What the same source has said before of the moment, and what gave way, stands again.
pub fn take(chains: &mut Chains, met: Meeting, mut fresh: reading::Model) -> Uuid {
    let (installation, at) = (fresh.installation_id, fresh.read_at);
    let known = chains.at(installation, at).find(|l| l.row.value == fresh.value && l.row.source == fresh.source);
    let known = known.map(|l| l.row.id);
    let id = known.unwrap_or(fresh.id);
    match met {
        Meeting::Free | Meeting::Repeat(_) => {}
        Meeting::Better => {
            for link in chains
                .at(installation, at)
                .filter(|l| ReadingState::of(&l.row.state).is_some_and(ReadingState::is_live))
            {
                let row = link.edit();
                row.state = ReadingState::Replaced.code().to_owned();
                row.replaced_by = Some(id);
            }
        }
        Meeting::Worse(better) => {
            fresh.state = ReadingState::Replaced.code().to_owned();
            fresh.replaced_by = Some(better);
        }
        Meeting::Clash => {
            for link in chains.at(installation, at) {
                if let Some(ReadingState::Validated | ReadingState::Held) = ReadingState::of(&link.row.state) {
                    let row = link.edit();
                    row.conflict = true;
                    row.state = ReadingState::Held.code().to_owned();
                }
            }
            fresh.conflict = true;
            fresh.state = ReadingState::Held.code().to_owned();
        }
    }
    match known.and_then(|id| chains.link(id)) {
        Some(link) => {
            let row = link.edit();
            (row.state, row.conflict, row.replaced_by) = (fresh.state, fresh.conflict, fresh.replaced_by);
            (row.codes, row.exception_id) = (String::new(), None);
        }
        None => chains.add(fresh),
    }
    id
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    fn there(n: u128, value: i64, source: Source, state: ReadingState) -> There {
        There {
            id: Uuid::from_u128(n),
            value,
            source,
            rank: Rules::shipped().unwrap().trust(source).rank,
            state,
        }
    }

    fn met(there: &[There], value: i64, source: Source) -> Meeting {
        held_against(there, value, source, Rules::shipped().unwrap().trust(source).rank)
    }

    #[test]
    fn b_04_rank_decides_also_where_the_values_are_the_same() {
        use Meeting::*;
        use ReadingState::*;
        use Source::*;
        let id = Uuid::from_u128;
        let table: [(&[There], i64, Source, Meeting); 13] = [
            (&[], 50, User, Free),
            (&[there(1, 50, User, Validated)], 50, User, Repeat(id(1))),
            (&[there(1, 50, User, Validated)], 50, Reader, Better),
            (&[there(1, 50, Reader, Validated)], 50, User, Repeat(id(1))),
            (&[there(1, 50, Reader, Validated)], 49, User, Worse(id(1))),
            (&[there(1, 50, Reader, Validated)], 49, Remote, Clash),
            // The user said 50 and a reader saw 46: a check that found 50 replaces both, the user again says nothing new.
            (&[there(1, 50, User, Replaced), there(2, 46, Reader, Validated)], 50, Check, Better),
            (&[there(1, 50, User, Replaced), there(2, 46, Reader, Validated)], 50, User, Repeat(id(1))),
            // Two of one rank are held: a third of that rank confirms nothing, a check does.
            (&[there(1, 50, Reader, Held), there(2, 53, Remote, Held)], 53, Photo, Repeat(id(2))),
            (&[there(1, 50, Reader, Held), there(2, 53, Remote, Held)], 53, Check, Better),
            // What a person or a bill made stand does not give way, and is not in doubt by being said again.
            (&[there(1, 50, User, Billed)], 50, Check, Repeat(id(1))),
            // What a person rejected is not said anew by the same source, but may be by another one.
            (&[there(1, 50, Reader, Rejected)], 50, Reader, Repeat(id(1))),
            (&[there(1, 50, Reader, Rejected)], 50, Remote, Free),
        ];
        for (n, (there, value, source, wanted)) in table.into_iter().enumerate() {
            assert_eq!(met(there, value, source), wanted, "row {n}");
        }
        assert_eq!(met(&[there(1, 50, User, Accepted)], 46, Check), Clash);
        let gone = [there(1, 50, User, Replaced), there(2, 46, Reader, Rejected)];
        assert_eq!(met(&gone, 50, User), Free, "what it gave way to is gone");
    }
}
