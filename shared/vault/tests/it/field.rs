use std::collections::BTreeSet;

use futures::future::join_all;
use hmac::{KeyInit, Mac};
use sea_orm::{DatabaseConnection, DbBackend, TransactionTrait};
use sha2::Digest;
use uuid::Uuid;
use vault::{Error, Index, Keyring, Vault};

use crate::stand::each;

const PHONE: &str = "party.phone";
const CLEAR: &str = "MARKER13812345678张小明";

fn holds(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}

#[tokio::test]
async fn p1_a_sealed_field_opens_and_its_text_stands_nowhere() {
    each(async |stand| {
        let (vault, li) = (stand.vault(), Uuid::now_v7());
        let sealed = vault.seal(&stand.db, li, PHONE, CLEAR).await.unwrap();
        let again = vault.seal(&stand.db, li, PHONE, CLEAR).await.unwrap();
        assert_ne!(sealed, again);
        for sealed in [&sealed, &again] {
            assert_eq!(vault.open(&stand.db, li, PHONE, sealed).await.unwrap(), CLEAR);
            assert!(!holds(sealed, b"MARKER") && !holds(sealed, b"138") && !holds(sealed, "张".as_bytes()));
        }
        let table = stand.bytes().await;
        assert_eq!(table.len(), 1);
        // Format, length, id of 9 characters, nonce, key, tag.
        assert_eq!(table[0].len(), 2 + 9 + 24 + 32 + 16);
        // The empty text is a text.
        let empty = vault.seal(&stand.db, li, PHONE, "").await.unwrap();
        assert_eq!(vault.open(&stand.db, li, PHONE, &empty).await.unwrap(), "");
    })
    .await;
}

#[tokio::test]
async fn p1_no_file_of_the_database_holds_the_text_or_a_key() {
    each(async |stand| {
        let (vault, li) = (stand.vault(), Uuid::now_v7());
        let sealed = vault.seal(&stand.db, li, PHONE, CLEAR).await.unwrap();
        stand.sql("CREATE TABLE kept (value bytea)").await;
        stand.sql(&format!("INSERT INTO kept VALUES ({})", literal(&stand.db, &sealed))).await;
        let mut seen = 0;
        for entry in std::fs::read_dir(stand.folder.path()).unwrap() {
            let path = entry.unwrap().path();
            if path == stand.key_file() {
                continue;
            }
            seen += 1;
            let bytes = std::fs::read(path).unwrap();
            assert!(!holds(&bytes, b"MARKER") && !holds(&bytes, b"13812345678"));
        }
        assert_eq!(
            seen > 0,
            stand.db.get_database_backend() == DbBackend::Sqlite,
            "the files of a server lie elsewhere"
        );
    })
    .await;
}

fn literal(db: &DatabaseConnection, bytes: &[u8]) -> String {
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    match db.get_database_backend() {
        DbBackend::Postgres => format!("'\\x{hex}'"),
        _ => format!("x'{hex}'"),
    }
}

#[tokio::test]
async fn a_field_does_not_open_for_another_subject_field_or_service_or_when_changed() {
    each(async |stand| {
        let (vault, li, wang) = (stand.vault(), Uuid::now_v7(), Uuid::now_v7());
        let sealed = vault.seal(&stand.db, li, PHONE, CLEAR).await.unwrap();
        vault.seal(&stand.db, wang, PHONE, CLEAR).await.unwrap();
        let broken = |result: Result<String, Error>| assert!(matches!(result, Err(Error::Broken(_))), "{result:?}");
        broken(vault.open(&stand.db, wang, PHONE, &sealed).await);
        broken(vault.open(&stand.db, li, "party.email", &sealed).await);
        let hall = Vault::new(Keyring::load(&stand.key_file()).unwrap(), "hall");
        broken(hall.open(&stand.db, li, PHONE, &sealed).await);
        for at in [0, 1, 30, sealed.len() - 1] {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            broken(vault.open(&stand.db, li, PHONE, &changed).await);
        }
        for short in [&[][..], &[1], &sealed[..30]] {
            broken(vault.open(&stand.db, li, PHONE, short).await);
        }
        let stranger = Uuid::now_v7();
        assert!(matches!(vault.open(&stand.db, stranger, PHONE, &sealed).await, Err(Error::KeyMissing(id)) if id == stranger));
    })
    .await;
}

#[tokio::test]
async fn a_wrapped_key_serves_no_other_subject() {
    each(async |stand| {
        let (vault, li, wang) = (stand.vault(), Uuid::now_v7(), Uuid::now_v7());
        let sealed = vault.seal(&stand.db, li, PHONE, CLEAR).await.unwrap();
        let wrapped = literal(&stand.db, &stand.bytes().await[0]);
        vault.seal(&stand.db, wang, PHONE, CLEAR).await.unwrap();
        stand.sql(&format!("UPDATE subject_key SET wrapped = {wrapped}")).await;
        assert_eq!(vault.open(&stand.db, li, PHONE, &sealed).await.unwrap(), CLEAR);
        assert!(matches!(vault.open(&stand.db, wang, PHONE, &sealed).await, Err(Error::Broken(_))));
    })
    .await;
}

#[tokio::test]
async fn racers_for_a_new_subject_agree_on_one_key() {
    each(async |stand| {
        let (vault, li) = (stand.vault(), Uuid::now_v7());
        let sealed = join_all((0..16).map(|_| vault.seal(&stand.db, li, PHONE, CLEAR))).await;
        assert_eq!(stand.bytes().await.len(), 1);
        for sealed in sealed {
            assert_eq!(vault.open(&stand.db, li, PHONE, &sealed.unwrap()).await.unwrap(), CLEAR);
        }
    })
    .await;
}

#[tokio::test]
async fn a_new_key_belongs_to_the_transaction_and_the_work_may_move_between_threads() {
    fn send<T: Send>(work: T) -> T {
        work
    }
    each(async |stand| {
        let (vault, li) = (stand.vault(), Uuid::now_v7());
        let rolled_back = stand.db.begin().await.unwrap();
        let lost = send(vault.seal(&rolled_back, li, PHONE, CLEAR)).await.unwrap();
        assert_eq!(send(vault.open(&rolled_back, li, PHONE, &lost)).await.unwrap(), CLEAR);
        rolled_back.rollback().await.unwrap();
        assert!(stand.bytes().await.is_empty());
        let sealed = send(vault.seal_many(&stand.db, &[(li, PHONE, CLEAR)])).await.unwrap();
        assert_eq!(
            send(vault.open_many(&stand.db, &[(li, PHONE, &sealed[0])])).await.unwrap(),
            [Some(CLEAR.to_owned())]
        );
        assert!(matches!(vault.open(&stand.db, li, PHONE, &lost).await, Err(Error::Broken(_))));
        assert_eq!(send(vault.rewrap(&stand.db, 1)).await.unwrap(), 0);
        send(vault.erase(&stand.db, li)).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn imports_seal_and_open_in_order_over_several_chunks() {
    each(async |stand| {
        let vault = stand.vault();
        let subjects: Vec<Uuid> = (0..1201).map(|_| Uuid::now_v7()).collect();
        let first = vault.seal(&stand.db, subjects[7], PHONE, "first").await.unwrap();
        let texts: Vec<String> = (0..subjects.len() * 2).map(|n| format!("text {n}")).collect();
        let rows: Vec<(Uuid, &'static str, &str)> = texts
            .iter()
            .enumerate()
            .map(|(n, text)| (subjects[n / 2], if n % 2 == 0 { PHONE } else { "party.email" }, text.as_str()))
            .collect();
        let sealed = vault.seal_many(&stand.db, &rows).await.unwrap();
        assert_eq!(stand.bytes().await.len(), 1201);
        assert_eq!(stand.bytes().await.into_iter().collect::<BTreeSet<_>>().len(), 1201);
        let back: Vec<_> = rows
            .iter()
            .zip(&sealed)
            .map(|((subject, field, _), sealed)| (*subject, *field, sealed.as_slice()))
            .collect();
        let opened = vault.open_many(&stand.db, &back).await.unwrap();
        assert!(opened.iter().zip(&texts).all(|(opened, text)| opened.as_deref() == Some(text)));
        assert_eq!(opened.len(), texts.len());
        assert_eq!(vault.open(&stand.db, subjects[7], PHONE, &first).await.unwrap(), "first");
        assert!(vault.seal_many(&stand.db, &[]).await.unwrap().is_empty());
        assert!(vault.open_many(&stand.db, &[]).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn p3_an_erased_subject_is_never_opened_or_sealed_again() {
    each(async |stand| {
        let (vault, li, wang) = (stand.vault(), Uuid::now_v7(), Uuid::now_v7());
        let mine = vault.seal(&stand.db, li, PHONE, CLEAR).await.unwrap();
        let theirs = vault.seal(&stand.db, wang, PHONE, "kept").await.unwrap();
        vault.erase(&stand.db, li).await.unwrap();
        vault.erase(&stand.db, li).await.unwrap();
        assert!(matches!(vault.open(&stand.db, li, PHONE, &mine).await, Err(Error::Erased(id)) if id == li));
        assert!(matches!(vault.seal(&stand.db, li, PHONE, CLEAR).await, Err(Error::Erased(_))));
        assert!(matches!(vault.seal_many(&stand.db, &[(wang, PHONE, "x"), (li, PHONE, "x")]).await, Err(Error::Erased(id)) if id == li));
        let both = vault.open_many(&stand.db, &[(li, PHONE, &mine), (wang, PHONE, &theirs)]).await.unwrap();
        assert_eq!(both, [None, Some("kept".to_owned())]);
        let [sealed] = vault.seal_texts(&stand.db, wang, [(PHONE, CLEAR)]).await.unwrap();
        vault.erase(&stand.db, wang).await.unwrap();
        let left = vault
            .open_texts(&stand.db, wang, [(PHONE, &sealed), ("party.note", "never sealed")])
            .await
            .unwrap();
        assert_eq!(left, ["", "never sealed"]);
        // Of several, each for itself and in order.
        let sun = Uuid::now_v7();
        let [hers] = vault.seal_texts(&stand.db, sun, [(PHONE, CLEAR)]).await.unwrap();
        let texts = [(sun, PHONE, hers.as_str()), (wang, PHONE, &sealed), (sun, PHONE, ""), (wang, PHONE, "clear")];
        assert_eq!(vault.open_texts_of(&stand.db, &texts).await.unwrap(), [CLEAR, "", "", "clear"]);
        assert!(vault.open_texts_of(&stand.db, &[(sun, "party.note", hers.as_str())]).await.is_err());
        // The row stays without its key, and a rotation does not bring it back.
        assert!(stand.bytes().await.contains(&vec![]));
        stand.rotate();
        assert_eq!(stand.vault().rewrap(&stand.db, 100).await.unwrap(), 1);
        assert!(matches!(stand.vault().open(&stand.db, li, PHONE, &mine).await, Err(Error::Erased(_))));
        // One for whom nothing was sealed yet.
        let zhao = Uuid::now_v7();
        vault.erase(&stand.db, zhao).await.unwrap();
        assert!(matches!(vault.seal(&stand.db, zhao, PHONE, CLEAR).await, Err(Error::Erased(_))));
    })
    .await;
}

#[tokio::test]
async fn p2_rotation_resumes_reads_meanwhile_and_lets_the_old_key_go() {
    each(async |stand| {
        let vault = stand.vault();
        let mut kept = vec![];
        for n in 0..7 {
            let subject = Uuid::now_v7();
            let text = format!("text {n}");
            kept.push((subject, vault.seal(&stand.db, subject, PHONE, &text).await.unwrap(), text));
        }
        let (new, old) = stand.rotate();
        let rotated = stand.vault();
        // Stopped half way: both keys are in use and everything opens.
        assert_eq!(rotated.rewrap(&stand.db, 3).await.unwrap(), 3);
        assert_eq!((stand.count(&new).await, stand.count(&old).await), (3, 4));
        for (subject, sealed, text) in &kept {
            assert_eq!(&rotated.open(&stand.db, *subject, PHONE, sealed).await.unwrap(), text);
        }
        assert_eq!(rotated.rewrap(&stand.db, 100).await.unwrap(), 4);
        assert_eq!(rotated.rewrap(&stand.db, 100).await.unwrap(), 0);
        assert_eq!((stand.count(&new).await, stand.count(&old).await), (7, 0));
        // A ring of the new key alone is enough now; a ring of the old one alone is refused.
        let lines = std::fs::read_to_string(stand.key_file()).unwrap();
        for (line, good) in lines.lines().zip([true, false]) {
            let path = stand.folder.path().join("one.keys");
            let _ = std::fs::remove_file(&path);
            std::fs::write(&path, line).unwrap();
            #[cfg(unix)]
            std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
            let single = Vault::new(Keyring::load(&path).unwrap(), "archive");
            for (subject, sealed, text) in &kept {
                match single.open(&stand.db, *subject, PHONE, sealed).await {
                    Ok(opened) => assert!(good && &opened == text),
                    Err(error) => assert!(!good && matches!(&error, Error::UnknownKey(id) if *id == new), "{error:?}"),
                }
            }
        }
    })
    .await;
}

/// The key of the digests outlives every change of the ring, or a request could not be told from another one when it comes again.
#[tokio::test]
async fn r_p2_the_key_of_the_digests_stays_when_the_ring_changes() {
    each(async |stand| {
        let vault = stand.vault();
        let key = vault.digest_key(&stand.db).await.unwrap();
        assert_eq!(vault.digest_key(&stand.db).await.unwrap(), key);
        stand.rotate();
        let rotated = stand.vault();
        assert_eq!(rotated.digest_key(&stand.db).await.unwrap(), key);
        while rotated.rewrap(&stand.db, 100).await.unwrap() > 0 {}
        Keyring::load(&stand.key_file()).unwrap().retired().save_retired(&stand.key_file()).unwrap();
        assert_eq!(stand.vault().digest_key(&stand.db).await.unwrap(), key);
        // Only with the ring: it stands nowhere in clear, and another ring does not open it.
        assert!(!stand.bytes().await.iter().any(|row| holds(row, key.as_slice())));
        let stranger = Vault::new(Keyring::generate().unwrap(), "archive");
        assert!(matches!(stranger.digest_key(&stand.db).await, Err(Error::UnknownKey(_))));
        // Each database has one of its own.
        stand.sql("DELETE FROM subject_key").await;
        assert_ne!(stand.vault().digest_key(&stand.db).await.unwrap(), key);
    })
    .await;
}

#[tokio::test]
async fn p2_a_rotation_of_more_than_a_chunk_is_complete() {
    each(async |stand| {
        let vault = stand.vault();
        let rows: Vec<(Uuid, &'static str, &str)> = (0..1100).map(|_| (Uuid::now_v7(), PHONE, "x")).collect();
        vault.seal_many(&stand.db, &rows).await.unwrap();
        let (new, _) = stand.rotate();
        assert_eq!(stand.vault().rewrap(&stand.db, 10_000).await.unwrap(), 1100);
        assert_eq!(stand.count(&new).await, 1100);
    })
    .await;
}

#[tokio::test]
async fn p9_a_blind_index_is_stable_keyed_and_bound_to_its_field_and_service() {
    each(async |stand| {
        let vault = stand.vault();
        let blind = vault.blind(PHONE, "13812345678");
        assert_eq!(blind.len(), 16);
        assert_eq!(blind, stand.vault().blind(PHONE, "13812345678"));
        let ring = || Keyring::load(&stand.key_file()).unwrap();
        let others = [
            vault.blind(PHONE, "13812345679"),
            vault.blind("party.fax", "13812345678"),
            Vault::new(ring(), "hall").blind(PHONE, "13812345678"),
            Vault::new(Keyring::generate().unwrap(), "archive").blind(PHONE, "13812345678"),
        ];
        assert!(!others.contains(&blind));
        // After a rotation a search still finds what the old key made.
        stand.rotate();
        let rotated = stand.vault();
        let all = rotated.blind_all(PHONE, "13812345678");
        assert_eq!(all.len(), 2);
        assert_eq!(all[0], rotated.blind(PHONE, "13812345678"));
        assert_eq!(all[1], blind);
        assert_ne!(all[0], all[1]);
    })
    .await;
}

/// Two processes change keys while they seal, open and search; at no step does one of them meet what it cannot open or find.
#[tokio::test(flavor = "multi_thread")]
async fn r_p2_keys_change_under_readers_and_writers_of_two_processes() {
    each(async |stand| {
        stand
            .sql("CREATE TABLE person (id uuid NOT NULL PRIMARY KEY, phone bytea NOT NULL, phone_blind bytea NOT NULL)")
            .await;
        const INDEX: Index = Index {
            table: "person",
            sealed: ("phone", PHONE),
            blind: ("phone_blind", PHONE),
            text: false,
        };
        stand.vault();
        let processes = [0, 1].map(|_| Vault::of_file(&stand.key_file(), "archive").unwrap());
        let store = async |vault: &Vault, n: usize| {
            let (id, phone) = (Uuid::now_v7(), format!("138{n:08}"));
            let sealed = vault.seal(&stand.db, id, PHONE, &phone).await.unwrap();
            let blind = vault.blind(PHONE, &phone);
            let sql = format!(
                "INSERT INTO person VALUES ({}, {}, {})",
                match stand.db.get_database_backend() {
                    DbBackend::Postgres => format!("'{id}'"),
                    _ => format!("x'{}'", id.simple()),
                },
                literal(&stand.db, &sealed),
                literal(&stand.db, &blind)
            );
            stand.sql(&sql).await;
            (id, phone, sealed)
        };
        let find = async |vault: &Vault, phone: &str| {
            let list: Vec<_> = vault.blind_all(PHONE, phone).iter().map(|blind| literal(&stand.db, blind)).collect();
            stand
                .number(&format!("SELECT count(*) FROM person WHERE phone_blind IN ({})", list.join(", ")))
                .await
        };
        let mut kept = vec![];
        // After each step one of the two has read the file and the other has not; both work on.
        let step = |change: &dyn Fn(Keyring) -> Keyring| change(Keyring::load(&stand.key_file()).unwrap()).save(&stand.key_file()).unwrap();
        for stage in 0..5 {
            match stage {
                1 => step(&|ring| ring.announced().unwrap()),
                // Repeated, it is the same key that waits.
                2 => step(&|ring| ring.announced().unwrap()),
                3 => step(&Keyring::promoted),
                _ => {}
            }
            for late in [true, false] {
                for (n, vault) in processes.iter().enumerate() {
                    kept.push(store(vault, kept.len()).await);
                    if n == 0 || !late {
                        vault.renew().unwrap();
                    }
                    for (id, phone, sealed) in &kept {
                        assert_eq!(&vault.open(&stand.db, *id, PHONE, sealed).await.unwrap(), phone, "stage {stage}");
                        assert_eq!(find(vault, phone).await, 1, "stage {stage}");
                    }
                }
            }
        }
        assert_eq!(stand.keys().await.len(), 2);
        let [vault, _] = &processes;
        // Three rows at a time, as if it were killed after each.
        let (mut rewrapped, mut reblinded, mut after) = (0, 0, None);
        while let n @ 1.. = vault.rewrap(&stand.db, 3).await.unwrap() {
            rewrapped += n;
        }
        while let (n, Some(last)) = vault.reblind(&stand.db, &INDEX, after, 3).await.unwrap() {
            (reblinded, after) = (reblinded + n, Some(last));
        }
        assert!(rewrapped > 0 && rewrapped == reblinded, "{rewrapped} and {reblinded}");
        assert_eq!(vault.reblind(&stand.db, &INDEX, None, 1000).await.unwrap().0, 0);

        Keyring::load(&stand.key_file()).unwrap().retired().save_retired(&stand.key_file()).unwrap();
        assert_eq!(stand.keys().await.len(), 1);
        let only = Vault::of_file(&stand.key_file(), "archive").unwrap();
        assert!(only.missing(&stand.db).await.unwrap().is_empty());
        for (id, phone, sealed) in &kept {
            assert_eq!(&only.open(&stand.db, *id, PHONE, sealed).await.unwrap(), phone);
            assert_eq!(find(&only, phone).await, 1);
        }
        // The old key alone opens nothing any more.
        let stranger = Vault::new(Keyring::generate().unwrap(), "archive");
        assert_eq!(stranger.missing(&stand.db).await.unwrap(), stand.keys().await);
        assert!(matches!(
            stranger.open(&stand.db, kept[0].0, PHONE, &kept[0].2).await,
            Err(Error::UnknownKey(_))
        ));
    })
    .await;
}

/// A value is found whole or not at all; its index says nothing to whoever lacks the key, and nothing about the same value elsewhere.
#[tokio::test]
async fn r_p9_a_blind_index_is_exact_keyed_by_field_and_no_plain_hash() {
    each(async |stand| {
        let vault = stand.vault();
        let number = "11010519491231002X";
        let index = vault.blind("party.id_number", number);
        for near in [
            "11010519491231002x",
            "11010519491231002",
            "1010519491231002X",
            "110105194912310021",
            " 11010519491231002X",
            "110105",
            "",
        ] {
            assert!(!vault.blind_all("party.id_number", near).contains(&index), "{near}");
            // Not even a part is shared, as a prefix search would need.
            assert_ne!(vault.blind("party.id_number", near)[..4], index[..4], "{near}");
        }
        assert_ne!(vault.blind("person.id_number", number), index);
        let (sha256, hmac) = (sha2::Sha256::digest(number), sha2::Sha256::digest(format!("party.id_number{number}")));
        assert!(!holds(&sha256, &index[..8]) && !holds(&hmac, &index[..8]));
        // The key of the index is not the key that wraps: the file's key itself, as HMAC key, makes other bytes.
        let line = std::fs::read_to_string(stand.key_file()).unwrap();
        let key = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, line.split(' ').nth(1).unwrap().trim()).unwrap();
        let mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(&key)
            .unwrap()
            .chain_update(number)
            .finalize()
            .into_bytes();
        assert_ne!(mac[..16], index[..]);
    })
    .await;
}
