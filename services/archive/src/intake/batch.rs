use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use chrono::{Datelike, NaiveDate};
use contracts::hearth::archive::v1::{AccountChanged, ContractInForce, PartyRegistered, PremisesRegistered, ServicePointAdded, account, party};
use database::{Write, numbers};
use ids::{AccountId, AgreementId, EntitlementId, PartyId, PremisesId, ServicePointId, TemplateId};
use rpc::{Fault, wire};
use uuid::Uuid;

use super::model::Ready;
use crate::{
    Desk,
    account::{model as accounts, ops::opened, store as account_rows},
    agreement::{
        missing,
        model::{self as agreements, SignMethod},
        ops::contract_signed,
        store as agreement_rows,
    },
    entitlement::{
        model::{Kind as Entitled, State as Granted},
        ops::tell,
        store as entitlement_rows,
    },
    integrity::reach,
    party::{
        model::{Kind, State, search_key},
        store as party_rows,
    },
    premises::{model::Service, store as premises_rows},
    refusal::Refusal,
    template::store as template_rows,
    unsealed,
};

/// What is entered as proof of an entitlement that an older register holds.
const PROOF: &str = "taken over from an older register";

/// A chunk in the making: what was there before is loaded at once, rows are decided one by one against it, what comes of them is
/// written table by table.
pub(super) struct Batch {
    now: i64,
    today: NaiveDate,
    /// Account number -> identity of its party (as blind index), and branch.
    accounts: HashMap<String, (Vec<u8>, String)>,
    /// Numbers that stand in this chunk.
    seen: HashSet<String>,
    /// Identity number -> party.
    parties: HashMap<String, Known>,
    premises: HashMap<(String, String), Place>,
    /// Service point -> what covers it.
    covered: HashMap<Uuid, Vec<Option<NaiveDate>>>,
    templates: HashMap<&'static str, (Uuid, i32)>,
    blinds: HashMap<String, Vec<Vec<u8>>>,
    taken: Vec<Taken>,
}

struct Known {
    id: Uuid,
    kind: Kind,
    name_key: String,
    new: bool,
}

struct Place {
    id: Uuid,
    new: bool,
    points: HashMap<Service, (Uuid, bool)>,
}

/// A row with the ids that it got.
struct Taken {
    row: Ready,
    party: Uuid,
    new_party: bool,
    premises: Uuid,
    new_premises: bool,
    point: Uuid,
    new_point: bool,
}

impl Batch {
    /// Loads what the rows may meet, with a few statements for all of them.
    pub(super) async fn load(desk: &Desk, write: &Write, template: Option<&str>, rows: &[(i64, Ready)]) -> Result<Self, Fault> {
        let conn = &**write;
        let today = write.now().date();
        let blinds: HashMap<_, _> = rows
            .iter()
            .map(|(_, r)| (r.identity.number().to_owned(), desk.vault.blind_all(party_rows::ID_NUMBER, r.identity.number())))
            .collect();

        let of_blind: HashMap<&Vec<u8>, &String> = blinds.iter().flat_map(|(number, all)| all.iter().map(move |blind| (blind, number))).collect();
        let mut parties = HashMap::new();
        for found in party_rows::with_numbers(conn, of_blind.keys().map(|blind| (*blind).clone()).collect()).await? {
            let kind = Kind::of(&found.kind).ok_or_else(|| crate::unknown_code("party.kind"))?;
            if let Some(number) = of_blind.get(&found.id_number_blind) {
                parties.insert(
                    (*number).clone(),
                    Known {
                        id: found.id,
                        kind,
                        name_key: found.name_key,
                        new: false,
                    },
                );
            }
        }

        let mut accounts = HashMap::new();
        let found = account_rows::with_numbers(conn, rows.iter().map(|(_, r)| r.account_no.as_str()).collect()).await?;
        let owners = party_rows::with_ids(conn, found.iter().map(|a| a.party_id).collect()).await?;
        for account in found {
            let blind = owners
                .iter()
                .find(|p| p.id == account.party_id)
                .map(|p| p.id_number_blind.clone())
                .unwrap_or_default();
            accounts.insert(account.account_no, (blind, account.branch));
        }

        let mut premises: HashMap<_, Place> = HashMap::new();
        let found = premises_rows::at_addresses(conn, rows.iter().map(|(_, r)| r.address.as_str()).collect()).await?;
        let points = premises_rows::points(conn, found.iter().map(|p| p.id)).await?;
        for place in found {
            let entry = premises.entry((place.branch, place.address)).or_insert_with(|| Place {
                id: place.id,
                new: false,
                points: HashMap::new(),
            });
            for point in points.iter().filter(|p| p.premises_id == entry.id) {
                entry.points.entry(point.supplies()?).or_insert((point.id, false));
            }
        }
        let mut covered: HashMap<_, Vec<_>> = HashMap::new();
        for agreement in agreement_rows::at_points(conn, points.iter().map(|p| p.id).collect()).await? {
            covered.entry(agreement.service_point_id).or_default().push(agreement.live_until);
        }

        let template = template
            .map(|id| wire::id_of::<TemplateId>("template_id", id))
            .transpose()?
            .map(TemplateId::uuid);
        let mut templates = HashMap::new();
        for service in rows.iter().map(|(_, r)| r.service).collect::<HashSet<_>>() {
            let found = template_rows::in_force(conn, template, service, today)
                .await?
                .ok_or(Refusal::TemplateNotInForce)?;
            templates.insert(service.code(), (found.head.id, found.version.version));
        }
        let now = write.now().micros();
        Ok(Self {
            now,
            today,
            accounts,
            seen: HashSet::new(),
            parties,
            premises,
            covered,
            templates,
            blinds,
            taken: vec![],
        })
    }

    /// Decides a row against what was there and the rows before it: taken over, or left because it is there already.
    pub(super) fn decide(&mut self, row: Ready) -> Result<bool, (&'static str, Refusal)> {
        let number = row.identity.number();
        if !self.seen.insert(row.account_no.clone()) {
            return Err(("account_no", Refusal::Duplicate));
        }
        if let Some((blind, branch)) = self.accounts.get(&row.account_no) {
            let same = *branch == row.branch && self.blinds.get(number).is_some_and(|all| all.contains(blind));
            return if same { Ok(false) } else { Err(("account_no", Refusal::AccountNoTaken)) };
        }
        if self
            .parties
            .get(number)
            .is_some_and(|known| known.kind != row.kind || known.name_key != search_key(&row.name))
        {
            return Err(("name", Refusal::IdentityNameMismatch));
        }
        let address = (row.branch.clone(), row.address.clone());
        if let Some((point, new)) = self.premises.get(&address).and_then(|place| place.points.get(&row.service)) {
            let open = self
                .covered
                .get(point)
                .is_some_and(|all| all.iter().any(|until| until.is_none_or(|until| until > row.supply_from)));
            if *new || open {
                return Err(("address", Refusal::AgreementOverlap));
            }
        }

        let known = self.parties.entry(number.to_owned()).or_insert_with(|| Known {
            id: PartyId::new().uuid(),
            kind: row.kind,
            name_key: search_key(&row.name),
            new: true,
        });
        let (party, new_party) = (known.id, std::mem::replace(&mut known.new, false));
        let place = self.premises.entry(address).or_insert_with(|| Place {
            id: PremisesId::new().uuid(),
            new: true,
            points: HashMap::new(),
        });
        let (premises, new_premises) = (place.id, std::mem::replace(&mut place.new, false));
        let mut new_point = false;
        let (point, _) = *place.points.entry(row.service).or_insert_with(|| {
            new_point = true;
            (ServicePointId::new().uuid(), true)
        });
        self.covered.entry(point).or_default().push(None);
        self.taken.push(Taken {
            row,
            party,
            new_party,
            premises,
            new_premises,
            point,
            new_point,
        });
        Ok(true)
    }

    /// Writes what was decided, a table at a time, and tells the events of the single calls.
    pub(super) async fn store(self, desk: &Desk, write: &mut Write) -> Result<(), Fault> {
        let (now, taken) = (self.now, &self.taken);
        if taken.is_empty() {
            return Ok(());
        }
        let fresh: Vec<_> = taken.iter().filter(|t| t.new_party).map(Taken::party).collect();
        let parties = party_rows::insert(write, &desk.vault, &fresh, now).await?;
        party_rows::lift_to_active(write, taken.iter().filter(|t| !t.new_party).map(|t| t.party).collect(), now).await?;
        let places: Vec<_> = taken.iter().filter(|t| t.new_premises).map(|t| t.premises(now)).collect();
        let points: Vec<_> = taken.iter().filter(|t| t.new_point).map(|t| t.point(now)).collect();
        premises_rows::insert(write, &places, &points).await?;

        let accounts: Vec<_> = taken.iter().map(|t| t.account(now)).collect();
        account_rows::insert(write, &accounts).await?;

        let mut contract_numbers = self.contract_numbers(write).await?;
        let (mut agreements, mut versions) = (vec![], vec![]);
        for (taken, account) in taken.iter().zip(&accounts) {
            let number = contract_numbers.get_mut(&taken.row.branch).and_then(Iterator::next);
            let number = number.ok_or_else(|| Fault::internal("a row got no contract number"))?;
            let template = self
                .templates
                .get(taken.row.service.code())
                .ok_or_else(|| Fault::internal("a row got no template"))?;
            let agreement = taken.agreement(account, agreements::number(&taken.row.branch, self.today.year(), number), now);
            versions.push(taken.terms(agreement.id, *template, now)?);
            agreements.push(agreement);
        }
        agreement_rows::insert(write, &agreements, &versions).await?;
        let known_points: Vec<_> = taken.iter().filter(|t| !t.new_point).map(|t| t.point).collect();
        missing::found(write, &known_points).await?;
        let entitlements = self.entitlements(desk, write, &agreements).await?;
        entitlement_rows::insert(write, &entitlements).await?;

        for ((taken, account), agreement) in taken.iter().zip(accounts).zip(agreements) {
            taken.tell(write, account, agreement)?;
        }
        for entitlement in entitlements {
            tell(write, entitlement.right()?, entitlement.agreement_id, entitlement.days());
        }
        for party in self.known_before(write, &fresh, parties).await? {
            reach::registered(write, &desk.vault, &party).await?;
        }
        Ok(())
    }

    /// Those of the new parties whose number a closed one has: the person may be on the list of dishonest customers still.
    async fn known_before(
        &self,
        write: &Write,
        fresh: &[party_rows::New<'_>],
        parties: Vec<party_rows::row::Model>,
    ) -> Result<Vec<party_rows::row::Model>, Fault> {
        let blinds = |new: &party_rows::New<'_>| self.blinds.get(new.number).cloned().unwrap_or_default();
        let closed = party_rows::closed_with_numbers(write, fresh.iter().flat_map(blinds).collect()).await?;
        let known = |new: &party_rows::New<'_>| blinds(new).iter().any(|blind| closed.iter().any(|old| old.id_number_blind == *blind));
        let known = fresh.iter().zip(parties).filter(|(new, _)| known(new));
        Ok(known.map(|(_, party)| party).collect())
    }

    /// A block of numbers for each branch, taken in the order of branches, so that two imports wait for each other in the same order.
    async fn contract_numbers(&self, write: &Write) -> Result<BTreeMap<String, std::ops::RangeInclusive<i64>>, Fault> {
        let mut blocks = BTreeMap::new();
        for branch in self.taken.iter().map(|t| t.row.branch.as_str()).collect::<BTreeSet<_>>() {
            let count = self.taken.iter().filter(|t| t.row.branch == branch).count();
            let count = i64::try_from(count).map_err(Fault::internal)?;
            let first = numbers::next(write, "agreement", branch, self.today.year(), count).await?;
            blocks.insert(branch.to_owned(), first..=first.saturating_add(count).saturating_sub(1));
        }
        Ok(blocks)
    }

    async fn entitlements(&self, desk: &Desk, write: &Write, agreements: &[agreement_rows::row::Model]) -> Result<Vec<entitlement_rows::row::Model>, Fault> {
        let mut rows = vec![];
        for (taken, agreement) in self.taken.iter().zip(agreements) {
            let size = taken.row.persons.map(|persons| (Entitled::HouseholdSize, persons));
            let low = taken.row.low_income.then_some((Entitled::LowIncome, 0));
            for (kind, persons) in size.into_iter().chain(low) {
                rows.push(entitlement_rows::row::Model {
                    id: EntitlementId::new().uuid(),
                    agreement_id: agreement.id,
                    party_id: taken.party,
                    branch: taken.row.branch.clone(),
                    kind: kind.code().to_owned(),
                    persons,
                    from_date: taken.row.supply_from,
                    until_date: None,
                    proof_sealed: vec![],
                    state: Granted::Granted.code().to_owned(),
                    version: 1,
                    created_at: self.now,
                    updated_at: self.now,
                    destitute: false,
                    next_mark_on: None,
                });
            }
        }
        let proofs: Vec<_> = rows.iter().map(|row| (row.party_id, entitlement_rows::PROOF, PROOF)).collect();
        let sealed = desk.vault.seal_many(&**write, &proofs).await.map_err(unsealed)?;
        for (row, proof) in rows.iter_mut().zip(sealed) {
            row.proof_sealed = proof;
        }
        Ok(rows)
    }
}

impl Taken {
    fn party(&self) -> party_rows::New<'_> {
        party_rows::New {
            id: self.party,
            kind: self.row.kind,
            branch: &self.row.branch,
            name: &self.row.name,
            address: &self.row.address,
            number: self.row.identity.number(),
            phone: self.row.phone.as_str(),
            state: State::Active,
        }
    }

    fn premises(&self, now: i64) -> premises_rows::row::Model {
        premises_rows::row::Model {
            id: self.premises,
            address: self.row.address.clone(),
            community_code: self.row.community_code.clone(),
            branch: self.row.branch.clone(),
            area: self.row.area,
            version: 1,
            created_at: now,
            updated_at: now,
        }
    }

    fn point(&self, now: i64) -> premises_rows::point::Model {
        premises_rows::point::Model {
            id: self.point,
            premises_id: self.premises,
            service: self.row.service.code().to_owned(),
            created_at: now,
        }
    }

    fn account(&self, now: i64) -> account_rows::row::Model {
        account_rows::row::Model {
            id: AccountId::new().uuid(),
            account_no: self.row.account_no.clone(),
            party_id: self.party,
            branch: self.row.branch.clone(),
            state: accounts::State::Open.code().to_owned(),
            version: 1,
            created_at: now,
            updated_at: now,
        }
    }

    fn agreement(&self, account: &account_rows::row::Model, agreement_no: String, now: i64) -> agreement_rows::row::Model {
        agreement_rows::row::Model {
            id: AgreementId::new().uuid(),
            agreement_no,
            account_id: account.id,
            account_no: account.account_no.clone(),
            party_id: self.party,
            premises_id: self.premises,
            service_point_id: self.point,
            service: self.row.service.code().to_owned(),
            branch: self.row.branch.clone(),
            state: agreements::State::InForce.code().to_owned(),
            live_from: self.row.supply_from,
            live_until: None,
            signed_version: 1,
            use_class: self.row.use_class.clone(),
            version: 1,
            created_at: now,
            updated_at: now,
        }
    }

    fn terms(&self, agreement: Uuid, (template, version): (Uuid, i32), now: i64) -> Result<agreement_rows::terms::Model, Fault> {
        Ok(agreement_rows::terms::Model {
            agreement_id: agreement,
            version: 1,
            use_class: self.row.use_class.clone(),
            from_date: self.row.supply_from,
            template_id: template,
            template_version: version,
            sign_method: SignMethod::TakenOver.code().to_owned(),
            signed_date: self.row.supply_from,
            acknowledged: serde_json::to_string::<[&str]>(&[]).map_err(Fault::internal)?,
            reason: String::new(),
            created_at: now,
        })
    }

    fn tell(&self, write: &mut Write, account: account_rows::row::Model, agreement: agreement_rows::row::Model) -> Result<(), Fault> {
        let (party_id, premises_id, branch) = (self.party.to_string(), self.premises.to_string(), self.row.branch.clone());
        if self.new_party {
            let kind = match self.row.kind {
                Kind::Person => party::Kind::Person,
                Kind::Organisation => party::Kind::Organisation,
            };
            write.event(
                &party_id,
                &PartyRegistered {
                    party_id: party_id.clone(),
                    kind: kind.into(),
                    branch: branch.clone(),
                },
            );
        }
        if self.new_premises {
            write.event(
                &premises_id,
                &PremisesRegistered {
                    premises_id: premises_id.clone(),
                    branch,
                },
            );
        }
        if self.new_point {
            let service = contracts::hearth::archive::v1::Service::from(self.row.service).into();
            let added = ServicePointAdded {
                premises_id: premises_id.clone(),
                service_point_id: self.point.to_string(),
                service,
            };
            write.event(&premises_id, &added);
        }
        let account = account_rows::show(account)?;
        let account_id = account.account_id.clone();
        write.event(&account_id, &opened(&account));
        let agreement = agreement_rows::show(agreement, vec![])?;
        let agreement_id = agreement.agreement_id.clone();
        write.event(&agreement_id, &contract_signed(&agreement, self.row.supply_from));
        write.event(
            &agreement_id,
            &ContractInForce {
                agreement_id: agreement_id.clone(),
                from_date: Some(wire::date(self.row.supply_from)),
            },
        );
        write.event(
            &account_id,
            &AccountChanged {
                account_id: account_id.clone(),
                state: account::State::Open.into(),
                reason: String::new(),
            },
        );
        Ok(())
    }
}
