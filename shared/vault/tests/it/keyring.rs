use std::path::{Path, PathBuf};

use vault::{Error, Keyring, Vault};

/// Bytes 0 to 31 in base64.
const COUNTING: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

fn file(folder: &Path, text: &str) -> PathBuf {
    let path = folder.join("some.keys");
    std::fs::write(&path, text).unwrap();
    #[cfg(unix)]
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    path
}

fn problem(result: Result<impl std::fmt::Debug, Error>) -> String {
    match result {
        Err(Error::KeyFile { problem, .. }) => problem,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_ring_comes_back_from_its_file_and_rotates() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vault.keys");
    let ring = Keyring::generate().unwrap();
    ring.save(&path).unwrap();
    ring.save(&path).unwrap();
    let loaded = Keyring::load(&path).unwrap();
    assert!(ring.ids().eq(loaded.ids()));
    let blind = Vault::new(ring, "archive").blind("f", "x");
    assert_eq!(Vault::new(Keyring::load(&path).unwrap(), "archive").blind("f", "x"), blind);
    let rotated = loaded.announced().unwrap().promoted();
    rotated.save(&path).unwrap();
    assert_eq!(Keyring::load(&path).unwrap().ids().count(), 2);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file is left");
}

#[test]
fn to_save_never_loses_a_key() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vault.keys");
    let ring = Keyring::generate().unwrap();
    ring.save(&path).unwrap();
    let before = std::fs::read(&path).unwrap();
    assert!(problem(Keyring::generate().unwrap().save(&path)).starts_with("would lose the key k"));
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[cfg(unix)]
#[test]
fn a_key_file_is_private() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vault.keys");
    Keyring::generate().unwrap().save(&path).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    for mode in [0o640, 0o604, 0o620, 0o610, 0o644, 0o666] {
        std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        assert!(problem(Keyring::load(&path)).contains("open to group or others"), "{mode:o}");
    }
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o400)).unwrap();
    Keyring::load(&path).unwrap();
}

#[test]
fn a_file_that_is_no_key_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(problem(Keyring::load(&folder.path().join("none"))), "is missing");
    let cases = [
        ("", "holds no key"),
        ("\n \n", "holds no key"),
        ("k1", "line 1 is not an id and a key"),
        ("k1 AAAA", "line 1: a key is 32 bytes"),
        ("k1 ***", "line 1: the key is not base64"),
        (&format!("k1 {COUNTING}\nk1 {COUNTING}"), "line 2 repeats the id k1"),
        (&format!("k'1 {COUNTING}"), "line 1: an id is up to 32 letters, digits, - and _"),
        (&format!("{} {COUNTING}", "k".repeat(33)), "line 1: an id is up to 32 letters, digits, - and _"),
    ];
    for (text, expected) in cases {
        assert_eq!(problem(Keyring::load(&file(folder.path(), text))), expected, "{text}");
    }
    assert!(
        Keyring::load(&file(folder.path(), &format!("k1 {COUNTING}\r\n\nk2 {COUNTING}\n")))
            .unwrap()
            .ids()
            .eq(["k1", "k2"])
    );
}

/// Computed apart from this crate with Python's hmac and hashlib; a change of it would make every stored index worthless.
#[test]
fn p9_a_blind_index_has_the_bytes_that_others_compute() {
    let folder = tempfile::tempdir().unwrap();
    let ring = Keyring::load(&file(folder.path(), &format!("k1 {COUNTING}"))).unwrap();
    let blind: String = Vault::new(ring, "archive")
        .blind("party.phone", "13812345678")
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(blind, "06f2e4c7f7d2508742787544f04fe6f4");
}

#[test]
fn u7_debug_shows_ids_and_never_a_key() {
    let folder = tempfile::tempdir().unwrap();
    let ring = Keyring::load(&file(folder.path(), &format!("k1 {COUNTING}"))).unwrap();
    assert_eq!(format!("{ring:?}"), r#"Keyring { keys: ["k1"] }"#);
    assert_eq!(
        format!("{:?}", Vault::new(ring, "archive")),
        r#"Vault { service: "archive", keyring: Keyring { keys: ["k1"] } }"#
    );
}
