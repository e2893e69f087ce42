use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::{Zeroize, Zeroizing};

use crate::Error;

/// A 256-bit key; wiped when dropped.
pub(crate) type Secret = Zeroizing<[u8; 32]>;

/// XChaCha20-Poly1305 with a random nonce. The first byte of everything sealed; other numbers are free for other suites.
pub(crate) const FORMAT: u8 = 1;
const NONCE: usize = 24;

/// A new random key.
pub(crate) fn random_key() -> Result<Secret, Error> {
    let mut key = Secret::default();
    getrandom::fill(key.as_mut_slice()).map_err(Error::Random)?;
    Ok(key)
}

/// HMAC-SHA-256 over the parts, each with its length before it so that no two lists of parts look alike.
pub(crate) fn mac(key: &Secret, parts: &[&[u8]]) -> Secret {
    let mut block = hmac::digest::Key::<Hmac<Sha256>>::default();
    block.iter_mut().zip(key.iter()).for_each(|(to, from)| *to = *from);
    let mut mac = Hmac::<Sha256>::new(&block);
    block.as_mut_slice().zeroize();
    for part in parts {
        mac.update(&length(part));
        mac.update(part);
    }
    Zeroizing::new(mac.finalize().into_bytes().into())
}

/// Header, nonce, ciphertext and tag. The header is authenticated; so are the parts of `context`, which must be the same to open.
pub(crate) fn seal(key: &Secret, header: &[u8], context: &[&[u8]], clear: &[u8]) -> Result<Vec<u8>, Error> {
    let mut nonce = [0; NONCE];
    getrandom::fill(&mut nonce).map_err(Error::Random)?;
    let payload = Payload {
        msg: clear,
        aad: &bound(header, context),
    };
    let body = cipher(key)?
        .encrypt(&XNonce::from(nonce), payload)
        .map_err(|_| Error::Broken("too long to seal"))?;
    Ok([header, &nonce, &body].concat())
}

/// Opens what [`seal`] made; `header` is how many bytes stand before the nonce.
pub(crate) fn open(key: &Secret, header: usize, context: &[&[u8]], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
    const SHORT: Error = Error::Broken("too short");
    let (header, rest) = sealed.split_at_checked(header).ok_or(SHORT)?;
    let (nonce, body) = rest.split_first_chunk::<NONCE>().ok_or(SHORT)?;
    let payload = Payload {
        msg: body,
        aad: &bound(header, context),
    };
    let clear = cipher(key)?
        .decrypt(&XNonce::from(*nonce), payload)
        .map_err(|_| Error::Broken("changed, or sealed for something else"))?;
    Ok(Zeroizing::new(clear))
}

fn cipher(key: &Secret) -> Result<XChaCha20Poly1305, Error> {
    XChaCha20Poly1305::new_from_slice(key.as_slice()).map_err(|_| Error::Broken("not a 256-bit key"))
}

fn bound(header: &[u8], context: &[&[u8]]) -> Vec<u8> {
    let mut all = Vec::new();
    for part in std::iter::once(&header).chain(context) {
        all.extend_from_slice(&length(part));
        all.extend_from_slice(part);
    }
    all
}

fn length(part: &[u8]) -> [u8; 8] {
    (part.len() as u64).to_be_bytes()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn key(byte: u8) -> Secret {
        Zeroizing::new([byte; 32])
    }

    #[test]
    fn what_is_sealed_opens_with_the_same_key_and_context_only() {
        let sealed = seal(&key(1), &[FORMAT], &[b"phone", b"li"], b"13812345678").unwrap();
        assert_eq!(sealed.len(), 1 + 24 + 11 + 16);
        assert_eq!(open(&key(1), 1, &[b"phone", b"li"], &sealed).unwrap().as_slice(), b"13812345678");
        assert!(open(&key(2), 1, &[b"phone", b"li"], &sealed).is_err());
        assert!(open(&key(1), 1, &[b"email", b"li"], &sealed).is_err());
        assert!(open(&key(1), 1, &[b"phonel", b"i"], &sealed).is_err());
    }

    #[test]
    fn every_changed_bit_and_every_cut_is_noticed() {
        let sealed = seal(&key(1), &[FORMAT], &[], b"x").unwrap();
        for at in 0..sealed.len() {
            for bit in 0..8 {
                let mut changed = sealed.clone();
                changed[at] ^= 1 << bit;
                assert!(open(&key(1), 1, &[], &changed).is_err(), "byte {at} bit {bit}");
            }
            assert!(open(&key(1), 1, &[], &sealed[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn the_same_text_sealed_twice_looks_different() {
        assert_ne!(seal(&key(1), &[FORMAT], &[], b"x").unwrap(), seal(&key(1), &[FORMAT], &[], b"x").unwrap());
    }
}
