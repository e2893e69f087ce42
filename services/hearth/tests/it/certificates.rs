//! S5: services know each other by certificates: which are taken, which are refused, and how they are renewed while calls run.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType,
    ExtendedKeyUsagePurpose::{ClientAuth, ServerAuth},
    IsCa, KeyPair, KeyUsagePurpose, SanType, date_time_ymd,
};
use rpc::{Tls, TlsFiles};
use testbed::reason;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{
    TlsAcceptor, TlsConnector,
    rustls::{
        ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
        version::{TLS12, TLS13},
    },
};
use tonic::Code;

use crate::{
    rpcs::rpcs,
    world::{World, alone_in, call, folder},
};

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority(name: &str) -> Authority {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params.distinguished_name.push(DnType::CommonName, name);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate of a service, to be spoiled.
fn params(uris: &[&str]) -> CertificateParams {
    let mut params = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    params.subject_alt_names.extend(uris.iter().map(|uri| SanType::URI((*uri).try_into().unwrap())));
    params.extended_key_usages = vec![ServerAuth, ClientAuth];
    params
}

fn spoiled(uris: &[&str], spoil: impl FnOnce(&mut CertificateParams)) -> CertificateParams {
    let mut params = params(uris);
    spoil(&mut params);
    params
}

/// Writes certificate and key under a name; signed by nobody where there is no authority.
fn write(folder: &Path, name: &str, params: CertificateParams, authority: Option<&Authority>) {
    let key = KeyPair::generate().unwrap();
    let certificate = match authority {
        Some(authority) => params.signed_by(&key, authority),
        None => params.self_signed(&key),
    };
    // As an issuer of certificates would: the two are not renewed at one moment.
    std::fs::write(folder.join(format!("{name}.key.pem")), key.serialize_pem()).unwrap();
    std::fs::write(folder.join(format!("{name}.pem")), certificate.unwrap().pem()).unwrap();
}

/// A folder whose services have certificates of an authority that is at hand.
fn with_authority(authority: &Authority) -> PathBuf {
    let folder = folder();
    let keys = folder.join("keys");
    std::fs::write(keys.join("ca.pem"), authority.pem()).unwrap();
    for (service, _) in boot::PORTS {
        write(&keys, service, params(&[&format!("spiffe://hearth/{service}")]), Some(authority));
    }
    folder
}

fn client(keys: &Path, name: Option<&str>, version: &'static SupportedProtocolVersion) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(keys.join("ca.pem")).unwrap() {
        roots.add(certificate.unwrap()).unwrap();
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = config.with_protocol_versions(&[version]).unwrap().with_root_certificates(roots);
    let mut config = match name {
        Some(name) => {
            let chain = CertificateDer::pem_file_iter(keys.join(format!("{name}.pem")))
                .unwrap()
                .map(Result::unwrap)
                .collect();
            let key = PrivateKeyDer::from_pem_file(keys.join(format!("{name}.key.pem"))).unwrap();
            config.with_client_auth_cert(chain, key).unwrap()
        }
        None => config.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    TlsConnector::from(Arc::new(config))
}

/// Whether the handshake succeeds as far as the first bytes of HTTP/2 from the server.
async fn handshake(world: &World, name: Option<&str>, version: &'static SupportedProtocolVersion) -> std::io::Result<()> {
    let socket = TcpStream::connect(world.socket("archive")).await?;
    let connector = client(&world.keys(), name, version);
    let mut stream = connector.connect(ServerName::try_from("localhost").unwrap(), socket).await?;
    // With TLS 1.3 a refusal of the client comes after its last word.
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await?;
    stream.read_u8().await.map(|_| ())
}

const READ: &str = "hearth.archive.v1.AccountService/GetAccount";

#[tokio::test]
async fn r_s5_a_client_certificate_that_is_not_in_order_is_refused_in_the_handshake() {
    let authority_of_ours = authority("ours");
    let stranger = authority("ours");
    let world = alone_in(with_authority(&authority_of_ours), archive::SERVICE).await;
    let (keys, hall) = (world.keys(), "spiffe://hearth/hall");
    let (past, future) = (date_time_ymd(2020, 1, 1), date_time_ymd(2090, 1, 1));
    let refused = [
        ("self-signed", params(&[hall]), None),
        ("another authority of the same name", params(&[hall]), Some(&stranger)),
        (
            "expired",
            spoiled(&[hall], |p| (p.not_before, p.not_after) = (past, date_time_ymd(2021, 1, 1))),
            Some(&authority_of_ours),
        ),
        (
            "not yet valid",
            spoiled(&[hall], |p| (p.not_before, p.not_after) = (future, date_time_ymd(2091, 1, 1))),
            Some(&authority_of_ours),
        ),
        ("two services", params(&[hall, "spiffe://hearth/billing"]), Some(&authority_of_ours)),
        (
            "a service and another name",
            params(&[hall, "https://elsewhere.test"]),
            Some(&authority_of_ours),
        ),
        ("no service", params(&[]), Some(&authority_of_ours)),
        (
            "a service of another trust domain",
            params(&["spiffe://elsewhere/hall"]),
            Some(&authority_of_ours),
        ),
        (
            "for servers only",
            spoiled(&[hall], |p| p.extended_key_usages = vec![ServerAuth]),
            Some(&authority_of_ours),
        ),
    ];
    for (what, params, signer) in refused {
        write(&keys, "odd", params, signer);
        assert!(handshake(&world, Some("odd"), &TLS13).await.is_err(), "{what} is taken");
    }
    for (what, uses) in [("for clients only", vec![ClientAuth]), ("for both", vec![ServerAuth, ClientAuth])] {
        write(&keys, "odd", spoiled(&[hall], |p| p.extended_key_usages = uses), Some(&authority_of_ours));
        assert!(handshake(&world, Some("odd"), &TLS13).await.is_ok(), "{what} is refused");
    }
    assert!(handshake(&world, None, &TLS13).await.is_ok());
    assert!(handshake(&world, None, &TLS12).await.is_err(), "TLS 1.2 is spoken");
}

#[tokio::test]
async fn r_s5_a_certificate_of_the_wrong_service_opens_nothing() {
    let ours = authority("ours");
    let world = alone_in(with_authority(&ours), archive::SERVICE).await;
    write(&world.keys(), "nobody", params(&["spiffe://hearth/nobody"]), Some(&ours));
    let mut closed = 0;
    for rpc in rpcs("archive").iter().filter(|rpc| !rpc.public) {
        for (name, lists) in [("vendor", rpc.lists("ROLE_SERVICE_VENDOR")), ("nobody", false)] {
            if lists {
                continue;
            }
            let status = rpc.ask(&world.peer("archive", name), None, rpc.request(&[])).await.unwrap_err();
            assert_eq!(
                (status.code(), reason(&status).as_str()),
                (Code::PermissionDenied, "CALLER_NOT_ALLOWED"),
                "{name} at {}",
                rpc.name
            );
            closed += 1;
        }
    }
    assert!(closed > 100, "{closed}");
    let read = rpcs("archive").into_iter().find(|rpc| rpc.name == READ).unwrap();
    let ask = async |name| read.ask(&world.peer("archive", name), None, read.request(&[])).await.unwrap_err().code();
    assert_eq!(ask("hall").await, Code::InvalidArgument);
}

/// A server that shows the certificate of a name and says nothing.
async fn stand_in(keys: &Path, name: &str) -> SocketAddr {
    let chain = CertificateDer::pem_file_iter(keys.join(format!("{name}.pem")))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let key = PrivateKeyDer::from_pem_file(keys.join(format!("{name}.key.pem"))).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = config.with_protocol_versions(&[&TLS13]).unwrap().with_no_client_auth();
    let acceptor = TlsAcceptor::from(Arc::new(config.with_single_cert(chain, key).unwrap()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            // It is the other side that decides.
            let _ = acceptor.accept(socket).await;
        }
    });
    address
}

/// Whether a service that means archive talks to whoever listens there.
async fn talks_to(tls: &Tls, address: SocketAddr) -> bool {
    let socket = TcpStream::connect(address).await.unwrap();
    let connector = TlsConnector::from(tls.client("archive").unwrap());
    connector.connect(ServerName::try_from("localhost").unwrap(), socket).await.is_ok()
}

/// The other way round: a service does not talk to one that shows the certificate of another service, or one that is not in order.
#[tokio::test]
async fn r_s5_a_server_that_is_not_the_peer_is_not_talked_to() {
    let (ours, stranger) = (authority("ours"), authority("ours"));
    let keys = with_authority(&ours).join("keys");
    let tls = Tls::new(TlsFiles::in_folder(&keys, "hall")).unwrap();
    let (past, future) = (date_time_ymd(2020, 1, 1), date_time_ymd(2090, 1, 1));
    let archive = "spiffe://hearth/archive";
    let cases = [
        ("in order", params(&[archive]), Some(&ours), true),
        ("another service", params(&["spiffe://hearth/billing"]), Some(&ours), false),
        ("two services", params(&[archive, "spiffe://hearth/billing"]), Some(&ours), false),
        ("no service", params(&[]), Some(&ours), false),
        (
            "for clients only",
            spoiled(&[archive], |p| p.extended_key_usages = vec![ClientAuth]),
            Some(&ours),
            false,
        ),
        (
            "expired",
            spoiled(&[archive], |p| (p.not_before, p.not_after) = (past, date_time_ymd(2021, 1, 1))),
            Some(&ours),
            false,
        ),
        (
            "not yet valid",
            spoiled(&[archive], |p| (p.not_before, p.not_after) = (future, date_time_ymd(2091, 1, 1))),
            Some(&ours),
            false,
        ),
        (
            "for another host",
            spoiled(&[archive], |p| {
                let elsewhere = SanType::DnsName("elsewhere.test".try_into().unwrap());
                p.subject_alt_names.retain(|name| matches!(name, SanType::URI(_)));
                p.subject_alt_names.push(elsewhere);
            }),
            Some(&ours),
            false,
        ),
        ("another authority", params(&[archive]), Some(&stranger), false),
        ("self-signed", params(&[archive]), None, false),
    ];
    for (what, params, signer, taken) in cases {
        write(&keys, "odd", params, signer);
        assert_eq!(talks_to(&tls, stand_in(&keys, "odd").await).await, taken, "{what}");
    }
}

/// The certificate that a server shows.
async fn shown(world: &World) -> Vec<u8> {
    let socket = TcpStream::connect(world.socket("archive")).await.unwrap();
    let roots = client(&world.keys(), None, &TLS13);
    let stream = roots.connect(ServerName::try_from("localhost").unwrap(), socket).await.unwrap();
    stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
}

async fn shows_another_than(world: &World, before: &[u8]) -> Vec<u8> {
    testbed::eventually("the renewed certificate", async || {
        let now = shown(world).await;
        (now != before).then_some(now)
    })
    .await
}

/// The authority, then the certificates of both sides, are renewed in their files while calls come in on new connections.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r_s5_certificates_are_renewed_under_load_without_a_failed_call() {
    let (old, new) = (authority("old"), authority("new"));
    let world = Arc::new(alone_in(with_authority(&old), archive::SERVICE).await);
    let keys = world.keys();
    let tls = Tls::new(TlsFiles::in_folder(&keys, "hall")).unwrap();
    let (stop, calls) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let load = [(); 2].map(|()| {
        let (world, tls, stop, calls) = (world.clone(), tls.clone(), stop.clone(), calls.clone());
        tokio::spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                let peer = rpc::service_channel("archive", &world.address("archive"), Some(&tls)).unwrap();
                // Without the retries of a service: no call at all fails.
                let status = call(&peer, READ, &[]).await.unwrap_err();
                assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
                calls.fetch_add(1, Ordering::Relaxed);
            }
        })
    });

    let started = Instant::now();
    let first = shown(&world).await;
    write(&keys, "of-old", params(&["spiffe://hearth/hall"]), Some(&old));
    write(&keys, "of-new", params(&["spiffe://hearth/archive"]), Some(&new));
    let of_new = stand_in(&keys, "of-new").await;
    assert!(!talks_to(&tls, of_new).await);
    // Both authorities are trusted on both sides before anything of the new one is shown.
    std::fs::write(keys.join("ca.pem"), format!("{}{}", old.pem(), new.pem())).unwrap();
    write(&keys, "archive", params(&["spiffe://hearth/archive"]), Some(&old));
    let second = shows_another_than(&world, &first).await;
    testbed::eventually("the new authority is trusted", async || talks_to(&tls, of_new).await.then_some(())).await;
    for service in ["archive", "hall"] {
        write(&keys, service, params(&[&format!("spiffe://hearth/{service}")]), Some(&new));
    }
    let third = shows_another_than(&world, &second).await;
    // Hall shows its new certificate as well before the old authority goes: its files are looked at as often as those of archive.
    let before = calls.load(Ordering::Relaxed);
    testbed::eventually("calls with the new certificates", async || {
        (started.elapsed() > Duration::from_secs(4) && calls.load(Ordering::Relaxed) > before + 20).then_some(())
    })
    .await;
    std::fs::write(keys.join("ca.pem"), new.pem()).unwrap();
    testbed::eventually("the old authority is trusted no more", async || {
        handshake(&world, Some("of-old"), &TLS13).await.is_err().then_some(())
    })
    .await;
    // A half written renewal changes nothing.
    std::fs::write(keys.join("archive.pem"), "-----BEGIN CERTIFICATE-----\n").unwrap();
    let half = Instant::now();
    while half.elapsed() < Duration::from_secs(2) {
        assert_eq!(shown(&world).await, third);
    }
    stop.store(true, Ordering::Relaxed);
    for task in load {
        task.await.unwrap();
    }
    println!("{} calls, none failed, in {:?}", calls.load(Ordering::Relaxed), started.elapsed());
}
