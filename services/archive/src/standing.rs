//! The one question "may we deal with this party?" (准入核查).

use contracts::hearth::archive::v1::{CheckStandingRequest, CheckStandingResponse, Listing, standing_service_server::StandingService};
use database::Scope;
use ids::PartyId;
use rpc::{Call, Fault, wire};

use crate::{
    Desk,
    account::{model::State, store as accounts},
    credit, integrity,
    party::{model, store as parties},
};

/// The gRPC service of standings.
pub struct Api(pub Desk);

rpc::service! {
    StandingService for Api(Desk) {
        read check_standing(CheckStandingRequest) -> CheckStandingResponse = check;
    }
}

async fn check(desk: Desk, call: Call, request: CheckStandingRequest) -> Result<CheckStandingResponse, Fault> {
    let id: PartyId = wire::id_of("party_id", &request.party_id)?;
    let party = parties::load(desk.db.reader(), &Scope::of(&call), id.uuid()).await?;
    let suspended = accounts::count(desk.db.reader(), party.id, &[State::Suspended]).await? > 0;
    let reasons: Vec<_> = model::standing(party.standing()?, suspended).into_iter().map(str::to_owned).collect();
    let listings = listings(&desk, &party).await?;
    Ok(CheckStandingResponse {
        may_deal: reasons.is_empty(),
        reasons,
        basic_supply: true,
        prepayment_required: !listings.is_empty(),
        listings,
    })
}

/// What limits the credit of a party: its own holds, the listings of the legal person under whichever registration, and those that its legal
/// representative would leave behind by a new one.
async fn listings(desk: &Desk, party: &parties::row::Model) -> Result<Vec<Listing>, Fault> {
    let (conn, today) = (desk.db.reader(), desk.db.clock().now().date());
    let mut listings: Vec<_> = credit::store::open_holds(conn, party.id)
        .await?
        .into_iter()
        .filter(|hold| hold.state == credit::model::HoldState::Raised.code())
        .map(|hold| Listing {
            code: "CREDIT_HOLD".to_owned(),
            detail: format!("OVER_{}", hold.lock_kind),
            from_date: Some(wire::date(hold.breach_date)),
            until_date: None,
        })
        .collect();
    let same = parties::one_person(conn, &desk.vault, party).await?;
    for (code, cases) in [
        ("LISTED_DISHONEST", integrity::store::in_force(conn, &same, today).await?),
        (
            "LISTED_LEGAL_REPRESENTATIVE",
            integrity::store::of_representative(conn, &desk.vault, party, &same, today).await?,
        ),
    ] {
        listings.extend(cases.into_iter().map(|case| Listing {
            code: code.to_owned(),
            detail: case.conduct_code,
            from_date: case.from_date.map(wire::date),
            until_date: case.until_date.map(wire::date),
        }));
    }
    Ok(listings)
}
