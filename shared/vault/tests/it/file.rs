use std::path::{Path, PathBuf};

use uuid::Uuid;
use vault::{Class, Error, FileId, Files, MAX_FILE, Vault};

use crate::stand::{Stand, each};

/// A picture with a text that can be looked for.
const PHOTO: &[u8] = b"JPEG MARKER of a household register";

fn files(stand: &Stand, vault: &Vault) -> Files {
    Files::new(stand.folder.path().join("files"), vault.clone()).unwrap()
}

/// Every file below a folder.
fn walk(folder: &Path) -> Vec<PathBuf> {
    let mut found = vec![];
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(walk(&path)) } else { found.push(path) }
    }
    found
}

#[tokio::test]
async fn an_open_file_lies_under_its_sha_256() {
    each(async |stand| {
        let files = files(stand, &stand.vault());
        let id = files.put(&stand.db, Class::Open, b"tariff 2025".to_vec()).await.unwrap();
        assert_eq!(id.to_string(), "692d783792420e8d150779dd2b0180afbd196e14eb6c718dee4ae6e949a71f7a");
        assert_eq!(files.put(&stand.db, Class::Open, b"tariff 2025".to_vec()).await.unwrap(), id);
        assert!(files.exists(id).await.unwrap());
        assert_eq!(files.get(&stand.db, id).await.unwrap(), b"tariff 2025");
        let stored = walk(stand.folder.path().join("files").as_path());
        assert_eq!(stored, [stand.folder.path().join("files/open/69").join(id.to_string())]);
        let empty = files.put(&stand.db, Class::Open, vec![]).await.unwrap();
        assert!(files.get(&stand.db, empty).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn p1_a_sealed_file_shows_neither_its_content_nor_a_guessable_address() {
    each(async |stand| {
        let (vault, li, wang) = (stand.vault(), Uuid::now_v7(), Uuid::now_v7());
        let files = files(stand, &vault);
        let id = files.put(&stand.db, Class::Sealed { subject: li }, PHOTO.to_vec()).await.unwrap();
        let stored = walk(stand.folder.path().join("files").as_path());
        assert_eq!(stored.len(), 1);
        let bytes = std::fs::read(&stored[0]).unwrap();
        assert!(!bytes.windows(6).any(|window| window == b"MARKER"));
        // The same content again is the same file; open or of another subject it has another address.
        assert_eq!(files.put(&stand.db, Class::Sealed { subject: li }, PHOTO.to_vec()).await.unwrap(), id);
        assert_eq!(std::fs::read(&stored[0]).unwrap(), bytes);
        assert_ne!(files.put(&stand.db, Class::Sealed { subject: wang }, PHOTO.to_vec()).await.unwrap(), id);
        assert_ne!(files.put(&stand.db, Class::Open, PHOTO.to_vec()).await.unwrap(), id);
        assert_eq!(files.get(&stand.db, id).await.unwrap(), PHOTO);
        // The address outlives a rotation.
        stand.rotate();
        let rotated = stand.vault();
        rotated.rewrap(&stand.db, 100).await.unwrap();
        let files = Files::new(stand.folder.path().join("files"), rotated).unwrap();
        assert_eq!(files.get(&stand.db, id).await.unwrap(), PHOTO);
        assert_eq!(files.put(&stand.db, Class::Sealed { subject: li }, PHOTO.to_vec()).await.unwrap(), id);
    })
    .await;
}

#[tokio::test]
async fn p3_the_files_of_an_erased_subject_stay_shut() {
    each(async |stand| {
        let (vault, li) = (stand.vault(), Uuid::now_v7());
        let files = files(stand, &vault);
        let id = files.put(&stand.db, Class::Sealed { subject: li }, PHOTO.to_vec()).await.unwrap();
        vault.erase(&stand.db, li).await.unwrap();
        assert!(matches!(files.get(&stand.db, id).await, Err(Error::Erased(subject)) if subject == li));
        assert!(matches!(
            files.put(&stand.db, Class::Sealed { subject: li }, PHOTO.to_vec()).await,
            Err(Error::Erased(_))
        ));
    })
    .await;
}

#[tokio::test]
async fn a_damaged_or_exchanged_file_is_noticed_and_healed_by_storing_it_again() {
    each(async |stand| {
        let (vault, li) = (stand.vault(), Uuid::now_v7());
        let files = files(stand, &vault);
        for class in [Class::Open, Class::Sealed { subject: li }] {
            let id = files.put(&stand.db, class, PHOTO.to_vec()).await.unwrap();
            let other = files.put(&stand.db, class, b"another paper".to_vec()).await.unwrap();
            let path = |id: FileId| {
                walk(&stand.folder.path().join("files"))
                    .into_iter()
                    .find(|path| path.ends_with(id.to_string()))
                    .unwrap()
            };
            let good = std::fs::read(path(id)).unwrap();
            let mut changed = good.clone();
            *changed.last_mut().unwrap() ^= 1;
            let exchanged = std::fs::read(path(other)).unwrap();
            for bad in [changed.as_slice(), &exchanged, &good[..good.len() - 1], &[]] {
                std::fs::write(path(id), bad).unwrap();
                assert!(matches!(files.get(&stand.db, id).await, Err(Error::Broken(_))), "{class:?}");
            }
            assert_eq!(files.put(&stand.db, class, PHOTO.to_vec()).await.unwrap(), id);
            assert_eq!(files.get(&stand.db, id).await.unwrap(), PHOTO);
        }
    })
    .await;
}

#[tokio::test]
async fn the_limit_is_16_mib() {
    each(async |stand| {
        let files = files(stand, &stand.vault());
        let most = usize::try_from(MAX_FILE).unwrap();
        let result = files.put(&stand.db, Class::Open, vec![0; most + 1]).await;
        assert!(matches!(result, Err(Error::FileTooLarge(size)) if size == MAX_FILE + 1));
        let id = files.put(&stand.db, Class::Open, vec![0; most]).await.unwrap();
        assert_eq!(files.get(&stand.db, id).await.unwrap().len(), most);
    })
    .await;
}

#[tokio::test]
async fn an_unknown_address_is_missing() {
    each(async |stand| {
        let files = files(stand, &stand.vault());
        let id: FileId = "0".repeat(64).parse().unwrap();
        assert!(!files.exists(id).await.unwrap());
        assert!(matches!(files.get(&stand.db, id).await, Err(Error::FileMissing(missing)) if missing == id));
    })
    .await;
}

#[test]
fn an_address_is_64_hexadecimal_digits_and_nothing_else() {
    let good = "692d783792420e8d150779dd2b0180afbd196e14eb6c718dee4ae6e949a71f7a";
    assert_eq!(good.parse::<FileId>().unwrap().to_string(), good);
    assert_eq!(good.to_uppercase().parse::<FileId>().unwrap().to_string(), good);
    let path = format!("../../{}", &good[6..]);
    let wide = format!("６{}", &good[3..]);
    for bad in [
        "",
        "..",
        "/etc/passwd",
        &good[1..],
        &good[2..],
        &format!("{good}0"),
        &format!("{good}00"),
        &path,
        &wide,
        &good.replace('6', "/"),
        &good.replace('6', "\0"),
        &good.replace('6', "+"),
    ] {
        assert!(matches!(bad.parse::<FileId>(), Err(Error::FileId)), "{bad}");
    }
}
