//! A disk that is full, under the four services on SQLite.

use std::{
    fs,
    path::Path,
    process::Output,
    time::{Duration, Instant},
};

use contracts::hearth::{
    archive::v1::{
        ListPremisesRequest, RegisterPersonRequest, RegisterPremisesRequest, Service, party_service_client::PartyServiceClient,
        premises_service_client::PremisesServiceClient,
    },
    options::v1::Role,
};
use rpc::{Principal, token::Issuer};
use testbed::{id_number, key, means::Disk, reason, suite::Up};
use tonic::{Code, Request, Status, transport::Channel};
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};

use crate::suite::{HEARTH, Suite, assert_told, hearth, runs, say};

/// An agent of a branch at the archive of a suite.
#[derive(Clone)]
pub struct Agent {
    parties: PartyServiceClient<Channel>,
    premises: PremisesServiceClient<Channel>,
    health: HealthClient<Channel>,
    token: String,
}

impl Agent {
    pub fn new(suite: &Suite) -> Self {
        let keys = suite.data().join("keys");
        let principal = Principal {
            subject: "li".to_owned(),
            roles: vec![Role::Agent as i32],
            ..Principal::default()
        };
        let channel = rpc::user_channel(suite.address("archive"), &keys.join("ca.pem")).unwrap();
        Self {
            parties: PartyServiceClient::new(channel.clone()),
            premises: PremisesServiceClient::new(channel.clone()),
            health: HealthClient::new(channel),
            token: Issuer::from_folder(&keys).unwrap().sign(&principal).unwrap(),
        }
    }

    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request
            .metadata_mut()
            .insert("authorization", format!("Bearer {}", self.token).parse().unwrap());
        request.set_timeout(Duration::from_secs(10));
        request
    }

    /// Registers premises with an address of their own; gives their id.
    pub async fn register(&self) -> Result<String, Status> {
        let request = RegisterPremisesRequest {
            request_id: key(),
            address: format!("天津市河西区友谊路{}号", key()),
            branch: "河西区".to_owned(),
            services: vec![Service::Gas.into()],
            ..RegisterPremisesRequest::default()
        };
        let answer = self.premises.clone().register_premises(self.request(request)).await?;
        Ok(answer.into_inner().premises.unwrap().premises_id)
    }

    /// Registers a person, of which other services hear.
    pub async fn register_person(&self, n: usize) -> Result<(), Status> {
        let request = RegisterPersonRequest {
            request_id: key(),
            name: "王芳".to_owned(),
            id_number: id_number(&format!("1101051990{:02}{:02}{:03}", n / 27_000 % 12 + 1, n / 1_000 % 27 + 1, n % 1_000)),
            phone: "13812345678".to_owned(),
            address: String::new(),
            branch: "河西区".to_owned(),
        };
        self.parties.clone().register_person(self.request(request)).await.map(drop)
    }

    /// What the archive says of itself, or of one of its services.
    async fn health(&self, service: &str) -> ServingStatus {
        let request = HealthCheckRequest { service: service.to_owned() };
        self.health.clone().check(request).await.unwrap().into_inner().status()
    }

    /// How many premises a page shows.
    pub async fn list(&self) -> Result<usize, Status> {
        let answer = self.premises.clone().list_premises(self.request(ListPremisesRequest::default())).await?;
        Ok(answer.into_inner().premises.len())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r_d4_a_full_disk_stops_writes_cleanly_and_heals_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("disk");
    let Some(disk) = Disk::mount(&path, "64m") else { return };
    let mut suite = Suite::start(HEARTH, &path);
    let agent = Agent::new(&suite);
    let mut kept = vec![];
    for round in 0..runs(2, 10) {
        for _ in 0..20 {
            kept.push(agent.register().await.unwrap());
        }
        let ballast = disk.fill();
        // What SQLite has set aside already may take a few more.
        let mut refused = 0;
        let from = Instant::now();
        while refused < 50 {
            let asked = Instant::now();
            match agent.register().await {
                Ok(id) => kept.push(id),
                Err(status) => {
                    assert_eq!(
                        (status.code(), reason(&status).as_str()),
                        (Code::Unavailable, "STORAGE_FULL"),
                        "round {round}: {status:?}"
                    );
                    assert!(asked.elapsed() < Duration::from_secs(1), "refused after {:?}", asked.elapsed());
                    refused += 1;
                }
            }
            assert!(from.elapsed() < Duration::from_secs(60), "the disk does not get full");
            assert_eq!(agent.list().await.unwrap(), kept.len().min(50), "reads go on");
        }
        // O18: whoever chooses between servers by their health would take the reads away with the writes.
        for name in ["", "hearth.archive.v1.PremisesService"] {
            assert_eq!(agent.health(name).await, ServingStatus::Serving, "{name}");
        }
        fs::remove_file(ballast).unwrap();
        let freed = Instant::now();
        loop {
            match agent.register().await {
                Ok(id) => break kept.push(id),
                Err(status) => assert!(freed.elapsed() < Duration::from_secs(5), "still refused: {status:?}"),
            }
        }
        say(&format!(
            "figure: D4 round {round}: 50 writes refused with STORAGE_FULL, 50 of 50 reads answered, writes again {:?} after space came back",
            freed.elapsed()
        ));
    }
    assert!(suite.up.runs(), "the process has ended");
    let check = hearth(&suite.data(), &["check"]);
    assert_told(&check, 0, &["no fault", &format!("journal archive {} rows", kept.len())]);
}

/// What a command says of a full disk; nothing else, and on one line.
fn assert_full(output: &Output, data: &Path) {
    let told = String::from_utf8_lossy(&output.stderr);
    let sentence = format!(
        "hearth: the disk of {} is full; free a part of it, or name another folder with --data: ",
        data.display()
    );
    let said: Vec<_> = told.lines().collect();
    assert!(
        output.status.code() == Some(1) && said.len() == 1 && said[0].starts_with(&sentence),
        "{said:#?}"
    );
}

#[test]
fn a_disk_that_is_full_from_the_start_is_told_in_one_sentence_and_is_no_trap_for_the_next_try() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("disk");
    let Some(disk) = Disk::mount(&path, "64m") else { return };
    for command in ["up", "demo"] {
        let data = path.join(command);
        // Room for nothing, for the marker, for the first keys, for all but the last, for the keys and no database, for some tables.
        for pages in [0, 1, 2, 9, 16, 40, 100] {
            let ballast = disk.fill();
            let file = fs::OpenOptions::new().write(true).open(&ballast).unwrap();
            file.set_len(file.metadata().unwrap().len() - pages * 4096).unwrap();
            let words = [command, "--archive-port", "0", "--hall-port", "0", "--billing-port", "0", "--vendor-port", "0"];
            assert_full(&hearth(&data, &words), &data);
            fs::remove_file(ballast).unwrap();
        }
        assert_eq!(fs::read_to_string(data.join(".hearth")).unwrap(), format!("{command}\n"));
    }
    // With room the same folder does.
    Up::start(HEARTH, &path.join("up")).kill();
    assert_told(&hearth(&path.join("up"), &["check"]), 0, &["no fault"]);
}

#[test]
fn a_disk_that_gets_full_within_the_play_ends_the_demo_with_that_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("disk");
    // Enough to start and to file customers, too little for a year.
    let Some(_disk) = Disk::mount(&path, "16m") else { return };
    let data = path.join("data");
    assert_full(&hearth(&data, &["demo"]), &data);
}
