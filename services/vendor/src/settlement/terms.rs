//! The writes of rate cards and of lent assets, one transaction each.

use contracts::hearth::vendor::v1::{LendAssetRequest, LendAssetResponse, ReturnAssetRequest, ReturnAssetResponse, SetRateRequest, SetRateResponse};
use database::{Begun, Scope};
use rpc::{Call, Fault, wire};

use super::{
    count::settle,
    model::{Asset, Basis, Rate},
    store,
    wire::{asset as asset_view, rate as rate_view},
};
use crate::{
    Desk, contract,
    keys::{AssetId, RateId},
    person::happened,
    refusal::Refusal,
    vendor::{self, wire::unknown},
};

/// Adds a row to a rate card.
pub async fn set_rate(desk: Desk, call: Call, request: SetRateRequest) -> Result<SetRateResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let contract = contract::locked_for(&write, &call, wire::id_of("contract_id", &request.contract_id)?).await?;
    let rate = Rate {
        id: RateId::new(),
        contract: contract.id,
        basis: Basis::of_number(request.basis).ok_or_else(|| unknown("basis"))?,
        work_kind: request.work_kind,
        unit_price: wire::money_of(request.unit_price.as_ref(), "unit_price")?.fen(),
        tax: request.tax_basis_points,
        from: wire::date_of(request.from_date.as_ref(), "from_date")?,
        set_by: call.subject().to_owned(),
    }
    .checked()?;
    if !contract.covers(rate.from) {
        return Err(Refusal::ContractTerm.into());
    }
    let contracts = contract::store::of_vendor_at(&write, contract.vendor, &contract.branch).await?;
    let beside: Vec<_> = contracts
        .iter()
        .filter(|c| c.id != contract.id && c.terms.start <= contract.terms.end && c.terms.end >= contract.terms.start)
        .map(|c| c.id)
        .collect();
    let taken = |other: &Rate| rate.basis == Basis::Order && other.basis == Basis::Order && other.work_kind == rate.work_kind;
    if store::rates(&write, &beside).await?.iter().any(taken) {
        return Err(Refusal::RateElsewhere.into());
    }
    if store::has_counted(&write, contract.id, rate.from).await? {
        return Err(Refusal::RateSettled.into());
    }
    store::insert_rate(&write, &rate).await?;
    write.subject(contract.id);
    write.commit(SetRateResponse { rate: Some(rate_view(&rate)) }).await
}

/// Records something that is lent.
pub async fn lend(desk: Desk, call: Call, request: LendAssetRequest) -> Result<LendAssetResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let lent = happened(wire::date_of(request.lent_date.as_ref(), "lent_date")?, write.now().date())?;
    let return_by = wire::date_of(request.return_by_date.as_ref(), "return_by_date")?;
    if return_by < lent {
        return Err(Fault::from(Refusal::TermOrder).field("return_by_date"));
    }
    let vendor = vendor::store::lock(&write, &vendor::store::scope(&call), wire::id_of("vendor_id", &request.vendor_id)?).await?;
    vendor.open_for_business()?;
    let asset = Asset {
        id: AssetId::new(),
        vendor: vendor.id,
        branch: request.branch,
        asset_no: request.asset_no,
        description: request.description,
        lent,
        return_by,
        returned: None,
        condition: String::new(),
        version: 1,
    };
    store::insert_asset(&write, &asset).await?;
    write.subject(asset.id);
    settle(&mut write, vendor.id).await?;
    write
        .commit(LendAssetResponse {
            asset: Some(asset_view(&asset)),
        })
        .await
}

/// Records that something came back.
pub async fn take_back(desk: Desk, call: Call, request: ReturnAssetRequest) -> Result<ReturnAssetResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let day = happened(wire::date_of(request.returned_date.as_ref(), "returned_date")?, write.now().date())?;
    let (scope, id) = (Scope::of(&call), wire::id_of("asset_id", &request.asset_id)?);
    // The first look finds the vendor only.
    let vendor = store::load_asset(&write, &scope, id).await?.vendor;
    vendor::store::lock(&write, &Scope::everything(), vendor).await?;
    let mut asset = store::load_asset(&write, &scope, id).await?;
    rpc::check_etag(&request.etag, asset.id, asset.version)?;
    asset.give_back(day, request.condition)?;
    store::save_asset(&write, &mut asset).await?;
    write.subject(asset.id);
    settle(&mut write, vendor).await?;
    write
        .commit(ReturnAssetResponse {
            asset: Some(asset_view(&asset)),
        })
        .await
}
