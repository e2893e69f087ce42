use rpc::Call;
use sea_orm::{
    ColumnTrait, EntityTrait, QueryFilter, Select,
    sea_query::{Expr, ExprTrait},
};

/// What a caller may see: everything (head office, services), or the rows of a branch, a vendor or a customer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    branch: Option<String>,
    vendor: Option<String>,
    customer: Option<String>,
}

impl Scope {
    pub fn of(call: &Call) -> Self {
        let own = |text: Option<&str>| text.map(str::to_owned);
        Self {
            branch: own(call.branch()),
            vendor: own(call.vendor()),
            customer: own(call.customer()),
        }
    }

    /// For work of the service itself.
    pub fn everything() -> Self {
        Self::default()
    }
}

/// A table whose rows belong to somebody. The columns are text, or UUIDs for vendors and customers.
pub trait Scoped: EntityTrait {
    const BRANCH: Option<Self::Column> = None;
    const VENDOR: Option<Self::Column> = None;
    const CUSTOMER: Option<Self::Column> = None;
}

/// The only way to look into such a table: the predicates of the scope are always part of the query. A caller who is bound to
/// something that the table does not know sees nothing.
pub fn find<E: Scoped>(scope: &Scope) -> Select<E> {
    let mut select = E::find();
    for (own, column) in [(&scope.branch, E::BRANCH), (&scope.vendor, E::VENDOR), (&scope.customer, E::CUSTOMER)] {
        let Some(own) = own else { continue };
        select = match column {
            Some(column) if *column.def().get_column_type() == sea_orm::ColumnType::Uuid => {
                // A binding that is no UUID matches nothing.
                let id = uuid::Uuid::parse_str(own).unwrap_or_default();
                select.filter(column.eq(id))
            }
            Some(column) => select.filter(column.eq(own.as_str())),
            None => select.filter(ExprTrait::eq(Expr::val(1), 0)),
        };
    }
    select
}
