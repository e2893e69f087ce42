//! What the tests start from.

use contracts::hearth::{
    archive::v1::{
        Account, Agreement, Clause, GetAccountRequest, GetAgreementRequest, OpenAccountRequest, Party, Premises, PublishTemplateRequest, RegisterPersonRequest,
        RegisterPremisesRequest, Service, SignAgreementRequest, SignMethod, Template, account_service_client::AccountServiceClient,
        agreement_service_client::AgreementServiceClient, entitlement_service_client::EntitlementServiceClient, party_service_client::PartyServiceClient,
        premises_service_client::PremisesServiceClient, template_service_client::TemplateServiceClient,
    },
    options::v1::Role,
    r#type::v1::{Date, Decimal},
};
use sea_orm::{ConnectionTrait, Statement, Value};
use testbed::{Bed, Client, key};
use uuid::Uuid;

pub const HEXI: &str = "河西区";
pub const HEPING: &str = "和平区";

/// Every staff role that the archive knows.
pub const STAFF: &[Role] = &[Role::Agent, Role::ContractOfficer, Role::Archivist, Role::ServiceManager, Role::DistrictManager];

/// An identity number with a right check digit and a birth year that nobody living has.
pub fn id_number(n: u32) -> String {
    let body = format!("120103{:04}{:02}{:02}{:03}", 1800 + n % 80, 1 + n / 80 % 12, 1 + n / 960 % 28, n % 1000);
    let weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let sum: u32 = body.chars().zip(weights).map(|(c, weight)| c.to_digit(10).unwrap() * weight).sum();
    format!("{body}{}", "10X98765432".chars().nth((sum % 11) as usize).unwrap())
}

pub fn phone(n: u32) -> String {
    format!("190{n:08}")
}

pub fn date(text: &str) -> Option<Date> {
    let parts: Vec<i32> = text.split('-').map(|p| p.parse().unwrap()).collect();
    Some(Date {
        year: parts[0],
        month: parts[1],
        day: parts[2],
    })
}

pub fn person(n: u32, branch: &str) -> RegisterPersonRequest {
    RegisterPersonRequest {
        request_id: key(),
        name: format!("王建国{n}"),
        id_number: id_number(n),
        phone: phone(n),
        address: String::new(),
        branch: branch.to_owned(),
    }
}

pub fn premises(n: u32, branch: &str) -> RegisterPremisesRequest {
    RegisterPremisesRequest {
        request_id: key(),
        address: format!("天津市{branch}尖山街道红山里社区{n}号楼1单元2701室"),
        community_code: "120103009013".to_owned(),
        branch: branch.to_owned(),
        area_m2: Some(Decimal { value: "70.27".to_owned() }),
        services: vec![Service::Gas.into()],
    }
}

pub fn template(code: &str, version: i32, service: Service, effective: &str) -> PublishTemplateRequest {
    let clause = |clause_no: &str, flagged| Clause {
        clause_no: clause_no.to_owned(),
        title: "条款".to_owned(),
        text: "第一行\n第二行".to_owned(),
        flagged,
    };
    PublishTemplateRequest {
        request_id: key(),
        code: code.to_owned(),
        version,
        title: "供用气合同".to_owned(),
        service: service.into(),
        filed_with_authority_no: "津市监合备2024-001".to_owned(),
        effective_date: date(effective),
        clauses: vec![clause("1", false), clause("2", true), clause("3.1", true)],
    }
}

/// The clients of one caller.
#[derive(Clone)]
pub struct Desk {
    pub parties: PartyServiceClient<Client>,
    pub premises: PremisesServiceClient<Client>,
    pub accounts: AccountServiceClient<Client>,
    pub templates: TemplateServiceClient<Client>,
    pub agreements: AgreementServiceClient<Client>,
    pub entitlements: EntitlementServiceClient<Client>,
}

impl Desk {
    pub fn of(client: Client) -> Self {
        Self {
            parties: PartyServiceClient::new(client.clone()),
            premises: PremisesServiceClient::new(client.clone()),
            accounts: AccountServiceClient::new(client.clone()),
            templates: TemplateServiceClient::new(client.clone()),
            agreements: AgreementServiceClient::new(client.clone()),
            entitlements: EntitlementServiceClient::new(client),
        }
    }

    /// Head office, with every staff role.
    pub fn head_office(bed: &Bed) -> Self {
        Self::of(bed.staff(STAFF))
    }

    pub async fn person(&mut self, n: u32, branch: &str) -> Party {
        self.parties.register_person(person(n, branch)).await.unwrap().into_inner().party.unwrap()
    }

    pub async fn premises(&mut self, n: u32, branch: &str) -> Premises {
        self.premises
            .register_premises(premises(n, branch))
            .await
            .unwrap()
            .into_inner()
            .premises
            .unwrap()
    }

    pub async fn open(&mut self, party: &Party) -> Account {
        let request = OpenAccountRequest {
            request_id: key(),
            party_id: party.party_id.clone(),
            branch: party.branch.clone(),
        };
        self.accounts.open_account(request).await.unwrap().into_inner().account.unwrap()
    }

    pub async fn account(&mut self, id: &str) -> Account {
        let request = GetAccountRequest {
            account_id: id.to_owned(),
            party_id: None,
        };
        self.accounts.get_account(request).await.unwrap().into_inner().account.unwrap()
    }

    pub async fn agreement(&mut self, id: &str) -> Agreement {
        let request = GetAgreementRequest {
            agreement_id: id.to_owned(),
            party_id: None,
        };
        self.agreements.get_agreement(request).await.unwrap().into_inner().agreement.unwrap()
    }

    pub async fn template(&mut self) -> Template {
        self.templates
            .publish_template(template("RESIDENT_GAS", 1, Service::Gas, "2024-01-01"))
            .await
            .unwrap()
            .into_inner()
            .template
            .unwrap()
    }

    /// A person with account, premises, and what is needed to sign.
    pub async fn ready(&mut self, n: u32, branch: &str, template: &Template) -> SignAgreementRequest {
        let party = self.person(n, branch).await;
        let account = self.open(&party).await;
        let premises = self.premises(n, branch).await;
        SignAgreementRequest {
            request_id: key(),
            account_id: account.account_id,
            service_point_id: premises.service_points[0].service_point_id.clone(),
            service: Service::Gas.into(),
            template_id: template.template_id.clone(),
            template_version: template.version,
            use_class: "living".to_owned(),
            start_date: None,
            signed_date: date("2025-01-02"),
            sign_method: SignMethod::Paper.into(),
            flagged_clauses_acknowledged: vec!["2".to_owned(), "3.1".to_owned()],
        }
    }

    pub async fn sign(&mut self, request: SignAgreementRequest) -> Agreement {
        self.agreements.sign_agreement(request).await.unwrap().into_inner().agreement.unwrap()
    }
}

/// The names of the events about an aggregate, in order.
pub async fn events(bed: &Bed, subject: &str) -> Vec<String> {
    let rows = rows(bed, "SELECT kind FROM event WHERE subject = $1 ORDER BY id", vec![subject.into()]).await;
    rows.iter()
        .map(|row| row.try_get_by_index::<String>(0).unwrap().replace("hearth.archive.v1.", ""))
        .collect()
}

/// Rows of a statement that no RPC makes.
pub async fn rows(bed: &Bed, sql: &str, values: Vec<Value>) -> Vec<sea_orm::QueryResult> {
    let db = bed.db();
    let connection = db.reader();
    connection
        .query_all_raw(Statement::from_sql_and_values(connection.get_database_backend(), sql, values))
        .await
        .unwrap()
}

/// Runs a statement that no RPC makes; the reason of the refusal, if there is one.
pub async fn raw(bed: &Bed, sql: &str, values: Vec<Value>) -> Result<(), String> {
    let db = bed.db();
    let connection = db.writer();
    let done = connection
        .execute_raw(Statement::from_sql_and_values(connection.get_database_backend(), sql, values))
        .await;
    done.map(|_| ()).map_err(|error| rpc::Fault::from(error).reason().to_owned())
}

pub fn uuid(text: &str) -> Value {
    Uuid::parse_str(text).unwrap().into()
}
