//! Human numbers (accounts, bills, receipts, orders): gapless per series, branch and year, since the block is taken in the
//! transaction that uses it: a write that fails gives its numbers back.

use rpc::Fault;
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QuerySelect, sea_query::Expr, sea_query::ExprTrait};

use crate::{Conn, Write, entity::number};

/// Takes `count` numbers in a row and returns the first.
pub async fn next(write: &Write, series: &str, branch: &str, year: i32, count: i64) -> Result<i64, Fault> {
    let row = number::ActiveModel {
        series: Set(series.to_owned()),
        branch: Set(branch.to_owned()),
        year: Set(year),
        last: Set(0),
    };
    number::Entity::insert(row).on_conflict_do_nothing().exec_without_returning(&**write).await?;
    let key = (series.to_owned(), branch.to_owned(), year);
    let last = number::Entity::find_by_id(key).lock_exclusive().one(&**write).await?.map_or(0, |row| row.last);
    number::Entity::update_many()
        .col_expr(number::Column::Last, Expr::col(number::Column::Last).add(count))
        .filter(number::Column::Series.eq(series))
        .filter(number::Column::Branch.eq(branch))
        .filter(number::Column::Year.eq(year))
        .exec(&**write)
        .await?;
    last.checked_add(1).ok_or_else(|| Fault::internal("a number series has ended"))
}

/// The number of a series that was given last; 0 before the first.
pub async fn last(conn: &Conn, series: &str, branch: &str, year: i32) -> Result<i64, Fault> {
    let key = (series.to_owned(), branch.to_owned(), year);
    Ok(number::Entity::find_by_id(key).one(conn).await?.map_or(0, |row| row.last))
}
