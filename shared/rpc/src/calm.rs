//! A client of HTTP/2 may send frames that cost it nothing and for which nobody else counts: PING, SETTINGS, PRIORITY, WINDOW_UPDATE,
//! DATA without content. Who sends many of them and is given nothing meanwhile is no client, and its connection is closed.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Such frames in a row. Honest ones come for what was sent to the client (window updates, pings that measure the way), or now and then
/// to keep the connection, which lives ten minutes.
const MOST: u32 = 1_000;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const CONTINUATION: u8 = 9;
const ACK: u8 = 1;
/// Bytes of what has to be answered to a PING and to SETTINGS.
const PONG: usize = 17;
const ACKNOWLEDGED: usize = 9;

/// A connection that is watched.
pub(crate) struct Calm<IO> {
    io: IO,
    place: Place,
    idle: u32,
    /// Bytes of ours that only answer such frames.
    owed: usize,
}

/// Where in what the client sends we are.
enum Place {
    Preface(usize),
    Head([u8; 9], usize),
    Content(usize),
    /// This is not HTTP/2.
    Elsewhere,
}

impl<IO> Calm<IO> {
    pub fn new(io: IO) -> Self {
        Self {
            io,
            place: Place::Preface(0),
            idle: 0,
            owed: 0,
        }
    }

    fn came(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while let Some((byte, after)) = bytes.split_first() {
            match &mut self.place {
                Place::Preface(at) => {
                    bytes = after;
                    let right = PREFACE.get(*at) == Some(byte);
                    self.place = match at.saturating_add(1) {
                        _ if !right => Place::Elsewhere,
                        at if at == PREFACE.len() => Place::Head([0; 9], 0),
                        at => Place::Preface(at),
                    };
                }
                Place::Head(head, have) => {
                    bytes = after;
                    if let Some(place) = head.get_mut(*have) {
                        *place = *byte;
                    }
                    *have = have.saturating_add(1);
                    if *have == head.len() {
                        let [a, b, c, kind, flags, ..] = *head;
                        let length = u32::from_be_bytes([0, a, b, c]) as usize;
                        self.count(kind, flags, length);
                        self.place = Place::after(length);
                    }
                }
                Place::Content(left) => {
                    let (passed, rest) = bytes.split_at(bytes.len().min(*left));
                    bytes = rest;
                    self.place = Place::after(left.saturating_sub(passed.len()));
                }
                Place::Elsewhere => return Ok(()),
            }
        }
        if self.idle > MOST {
            return Err(io::Error::other("a client sends nothing but frames that cost it nothing"));
        }
        Ok(())
    }

    fn count(&mut self, kind: u8, flags: u8, length: usize) {
        match kind {
            // The library counts these.
            HEADERS | CONTINUATION | RST_STREAM => return,
            DATA if length > 0 => return,
            PING if flags & ACK == 0 => self.owed = self.owed.saturating_add(PONG),
            SETTINGS if flags & ACK == 0 => self.owed = self.owed.saturating_add(ACKNOWLEDGED),
            _ => {}
        }
        self.idle = self.idle.saturating_add(1);
    }

    fn went(&mut self, bytes: usize) {
        match self.owed.checked_sub(bytes) {
            Some(owed) => self.owed = owed,
            None => (self.owed, self.idle) = (0, 0),
        }
    }
}

impl Place {
    /// So many bytes of a frame's content are left.
    fn after(left: usize) -> Self {
        if left == 0 { Self::Head([0; 9], 0) } else { Self::Content(left) }
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Calm<IO> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        std::task::ready!(Pin::new(&mut self.io).poll_read(cx, buffer))?;
        Poll::Ready(self.came(buffer.filled().get(before..).unwrap_or_default()))
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Calm<IO> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = std::task::ready!(Pin::new(&mut self.io).poll_write(cx, bytes))?;
        self.went(written);
        Poll::Ready(Ok(written))
    }
    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, parts: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let written = std::task::ready!(Pin::new(&mut self.io).poll_write_vectored(cx, parts))?;
        self.went(written);
        Poll::Ready(Ok(written))
    }
    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, length: u8) -> Vec<u8> {
        let mut bytes = vec![0, 0, length, kind, flags, 0, 0, 0, 1];
        bytes.extend(std::iter::repeat_n(0xff, usize::from(length)));
        bytes
    }

    /// How many of the frames pass, whatever pieces they arrive in.
    fn passed(frames: &[Vec<u8>], piece: usize) -> usize {
        let mut calm = Calm::new(());
        calm.came(PREFACE).unwrap();
        let through = |calm: &mut Calm<()>, frame: &[u8]| frame.chunks(piece).all(|part| calm.came(part).is_ok());
        frames.iter().take_while(|frame| through(&mut calm, frame)).count()
    }

    #[test]
    fn r_w4_frames_that_cost_nothing_are_counted_and_others_are_not() {
        for piece in [1, 4, 100] {
            for (kind, length) in [(DATA, 0), (2, 5), (SETTINGS, 6), (PING, 8), (8, 4), (77, 3)] {
                assert_eq!(passed(&vec![frame(kind, 0, length); 2_000], piece), MOST as usize, "kind {kind}");
            }
            for (kind, length) in [(DATA, 1), (HEADERS, 20), (RST_STREAM, 4), (CONTINUATION, 9)] {
                assert_eq!(passed(&vec![frame(kind, 0, length); 2_000], piece), 2_000, "kind {kind}");
            }
        }
    }

    #[test]
    fn r_w4_what_is_given_to_the_client_begins_the_count_anew() {
        let mut calm = Calm::new(());
        calm.came(PREFACE).unwrap();
        // Answers to pings are no gift, in one piece or in several.
        for _ in 0..MOST {
            calm.came(&frame(PING, 0, 8)).unwrap();
            calm.went(10);
            calm.went(7);
        }
        assert!(calm.came(&frame(PING, 0, 8)).is_err());
        calm.went(PONG);
        assert!(calm.came(&[]).is_err());
        calm.went(30);
        calm.came(&frame(PING, 0, 8)).unwrap();
        // An answer to one of ours asks for nothing.
        calm.went(PONG);
        calm.came(&frame(PING, ACK, 8)).unwrap();
        assert_eq!((calm.owed, calm.idle), (0, 2));
        calm.went(1);
        assert_eq!(calm.idle, 0);
    }

    #[test]
    fn another_protocol_is_let_alone() {
        let mut calm = Calm::new(());
        calm.came(b"POST / HTTP/1.1\r\n").unwrap();
        for _ in 0..5_000 {
            calm.came(&frame(PING, 0, 8)).unwrap();
        }
    }
}
