//! Households with several meters (一户多表): agreements of one account, premises, branch and class whose tariff lets meters share their tiers.

use database::Conn;
use std::collections::{HashMap, HashSet};

use calendar::NaiveDate;
use rpc::Fault;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use uuid::Uuid;

use super::model::Terms;
use crate::{
    fetch,
    supply::{
        model::Service,
        store::{self as supplies, supply},
    },
    table,
    tariff::model::{Book, Books},
};

/// The gas agreements of some accounts.
#[derive(Default)]
pub struct Members(Vec<Member>);

struct Member {
    agreement: Uuid,
    account: Uuid,
    premises: Option<Uuid>,
    branch: String,
    terms: Terms,
}

impl Members {
    /// Loads them; none where no price is for meters that share.
    pub async fn of(conn: &Conn, books: &Books, accounts: impl IntoIterator<Item = Uuid>) -> Result<Self, Fault> {
        if !books.any(|book| book.versions().iter().any(|version| shares(book, &version.class, version.from))) {
            return Ok(Self::default());
        }
        let accounts: HashSet<Uuid> = accounts.into_iter().collect();
        let supplies = supply::Entity::find()
            .filter(table::among(conn, supply::Column::AccountId, accounts))
            .filter(supply::Column::Service.eq(Service::Gas.code()));
        let mut supplies: Vec<supply::Model> = fetch::all(conn, supplies).await?;
        supplies.sort_unstable_by_key(|supply| supply.id);
        let mut terms: HashMap<Uuid, Vec<supplies::term::Model>> = HashMap::new();
        for term in supplies::terms(conn, &supplies.iter().map(|s| s.id).collect::<Vec<_>>()).await? {
            terms.entry(term.agreement_id).or_default().push(term);
        }
        let member = |supply: supply::Model| Member {
            agreement: supply.id,
            account: supply.account_id,
            premises: supply.premises_id,
            terms: supplies::terms_of(&supply, terms.get(&supply.id).into_iter().flatten()),
            branch: supply.branch,
        };
        Ok(Self(supplies.into_iter().map(member).collect()))
    }

    /// All agreements that may share.
    pub fn ids(&self) -> impl Iterator<Item = Uuid> {
        self.0.iter().map(|member| member.agreement)
    }

    /// For each agreement that shares its tiers on a day, all agreements that it shares them with, itself among them: those of the same premises (9.1), or
    /// where it is not known of each where it lies, those of the account.
    pub fn sharing(&self, books: &Books, day: NaiveDate) -> HashMap<Uuid, Vec<Uuid>> {
        let mut groups: HashMap<(Uuid, &str, &str), Vec<&Member>> = HashMap::new();
        for member in &self.0 {
            let branch = member.branch.as_str();
            if let Some(class) = member.terms.class(day).filter(|class| shares(books.of(branch), class, day)) {
                groups.entry((member.account, branch, class)).or_default().push(member);
            }
        }
        let mut sharing = HashMap::new();
        for group in groups.into_values() {
            let is_known = group.iter().all(|member| member.premises.is_some());
            for member in &group {
                let with = group.iter().filter(|other| !is_known || other.premises == member.premises);
                let with: Vec<Uuid> = with.map(|other| other.agreement).collect();
                if with.len() > 1 {
                    sharing.insert(member.agreement, with);
                }
            }
        }
        sharing
    }
}

fn shares(book: &Book, class: &str, day: NaiveDate) -> bool {
    let class = book.on(class, day).and_then(|version| version.tariff.class(class).ok());
    class.is_some_and(|class| class.aggregate_meters)
}

/// For each agreement of a chunk that shares its tiers on a day, all agreements that it shares them with, itself among them.
pub async fn sharing(conn: &Conn, books: &Books, chunk: &[supply::Model], day: NaiveDate) -> Result<HashMap<Uuid, Vec<Uuid>>, Fault> {
    if !books.any(|book| book.versions().iter().any(|version| shares(book, &version.class, day))) {
        return Ok(HashMap::new());
    }
    let members = Members::of(conn, books, chunk.iter().map(|s| s.account_id)).await?;
    Ok(members.sharing(books, day))
}

/// The volumes of the tier years of all of a household.
pub fn together(household: &[Uuid], used: &HashMap<Uuid, Vec<(i32, i64)>>) -> Vec<(i32, i64)> {
    let mut years: Vec<(i32, i64)> = vec![];
    for (year, volume) in household.iter().filter_map(|id| used.get(id)).flatten() {
        add(&mut years, *year, *volume);
    }
    years
}

/// Adds to the volume of a tier year.
pub fn add(years: &mut Vec<(i32, i64)>, year: i32, volume: i64) {
    match years.iter_mut().find(|(known, _)| *known == year) {
        Some((_, sum)) => *sum = sum.saturating_add(volume),
        None => years.push((year, volume)),
    }
}
