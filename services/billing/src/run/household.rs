//! Households with several meters (一户多表): agreements of one account and class whose tariff lets meters share their tiers.

use database::Conn;
use std::collections::{HashMap, HashSet};

use calendar::NaiveDate;
use rpc::Fault;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use uuid::Uuid;

use crate::{
    fetch,
    supply::{
        model::Service,
        store::{self as supplies, supply},
    },
    table,
    tariff::model::Book,
};

/// For each agreement that shares its tiers on a day, all agreements that it shares them with, itself among them.
pub async fn sharing(conn: &Conn, book: &Book, chunk: &[supply::Model], day: NaiveDate) -> Result<HashMap<Uuid, Vec<Uuid>>, Fault> {
    let shares = |class: &str| {
        let class = book.on(class, day).and_then(|version| version.tariff.class(class).ok());
        class.is_some_and(|class| class.aggregate_meters)
    };
    if !book.versions().iter().any(|version| shares(&version.class)) {
        return Ok(HashMap::new());
    }
    let accounts: HashSet<Uuid> = chunk.iter().map(|s| s.account_id).collect();
    let members = supply::Entity::find()
        .filter(table::among(conn, supply::Column::AccountId, accounts))
        .filter(supply::Column::Service.eq(Service::Gas.code()));
    let mut members: Vec<supply::Model> = fetch::all(conn, members).await?;
    members.sort_unstable_by_key(|member| member.id);
    let mut terms: HashMap<Uuid, Vec<supplies::term::Model>> = HashMap::new();
    for term in supplies::terms(conn, &members.iter().map(|s| s.id).collect::<Vec<_>>()).await? {
        terms.entry(term.agreement_id).or_default().push(term);
    }
    let mut groups: HashMap<(Uuid, String), Vec<Uuid>> = HashMap::new();
    for member in members {
        let own = supplies::terms_of(&member, terms.get(&member.id).into_iter().flatten());
        if let Some(class) = own.class(day).filter(|class| shares(class)) {
            groups.entry((member.account_id, class.to_owned())).or_default().push(member.id);
        }
    }
    let shared = groups.into_values().filter(|group| group.len() > 1);
    Ok(shared.flat_map(|group| group.clone().into_iter().map(move |id| (id, group.clone()))).collect())
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
