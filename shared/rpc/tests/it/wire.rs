//! HTTP/2 frame by frame, for what no client library sends.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
};

use crate::world::{GET, token};

pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const PRIORITY: u8 = 2;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;

pub const END_STREAM: u8 = 1;
pub const END_HEADERS: u8 = 4;
const ACK: u8 = 1;

pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = u32::try_from(payload.len()).unwrap().to_be_bytes()[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// Header fields as literals that nobody indexes.
pub fn fields(list: &[(&str, &[u8])]) -> Vec<u8> {
    let mut bytes = vec![];
    for (name, value) in list {
        bytes.push(0);
        for text in [name.as_bytes(), value] {
            // A length with a prefix of seven bits, the lowest first.
            let mut length = text.len();
            if length < 127 {
                bytes.push(u8::try_from(length).unwrap());
            } else {
                bytes.push(127);
                length -= 127;
                while length >= 128 {
                    bytes.push(u8::try_from(length % 128).unwrap() | 128);
                    length /= 128;
                }
                bytes.push(u8::try_from(length).unwrap());
            }
            bytes.extend(text);
        }
    }
    bytes
}

/// The fields of a call of [`GET`].
pub fn call_fields(more: &[(&str, &[u8])]) -> Vec<u8> {
    fields_of(GET, more)
}

pub fn fields_of(path: &str, more: &[(&str, &[u8])]) -> Vec<u8> {
    let token = token();
    let mut list: Vec<(&str, &[u8])> = vec![
        (":method", b"POST"),
        (":scheme", b"http"),
        (":path", path.as_bytes()),
        (":authority", b"localhost"),
        ("content-type", b"application/grpc"),
        ("te", b"trailers"),
        ("authorization", token.as_bytes()),
    ];
    list.extend(more);
    fields(&list)
}

/// A frame that came.
#[derive(Debug)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

impl Frame {
    pub fn number(&self, at: usize) -> u32 {
        u32::from_be_bytes(self.payload[at..at + 4].try_into().unwrap())
    }
}

/// One connection.
pub struct Wire<IO = TcpStream>(pub IO);

impl Wire {
    /// Connects and says the preface with these settings.
    pub async fn open(address: SocketAddr, settings: &[(u16, u32)]) -> Self {
        let mut wire = Self(TcpStream::connect(address).await.unwrap());
        wire.begin(settings).await;
        wire
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> Wire<IO> {
    pub async fn begin(&mut self, settings: &[(u16, u32)]) {
        let payload: Vec<u8> = settings
            .iter()
            .flat_map(|(name, value)| [&name.to_be_bytes()[..], &value.to_be_bytes()[..]].concat())
            .collect();
        self.send(&[PREFACE.to_vec(), frame(SETTINGS, 0, 0, &payload)].concat()).await;
    }

    /// Sends; a connection that was closed meanwhile shows at the next read.
    pub async fn send(&mut self, bytes: &[u8]) {
        let _ = self.0.write_all(bytes).await;
    }

    /// The next frame; `None` when the connection is closed. Settings and pings are answered.
    pub async fn next(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        self.0.read_exact(&mut head).await.ok()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        self.0.read_exact(&mut payload).await.ok()?;
        let found = Frame {
            kind: head[3],
            flags: head[4],
            stream: u32::from_be_bytes(head[5..].try_into().unwrap()),
            payload,
        };
        if matches!(found.kind, SETTINGS | PING) && found.flags & ACK == 0 {
            let back: &[u8] = if found.kind == PING { &found.payload } else { &[] };
            self.send(&frame(found.kind, ACK, 0, back)).await;
        }
        Some(found)
    }

    /// Reads until a frame of that kind or the end.
    pub async fn until(&mut self, kind: u8) -> Option<Frame> {
        loop {
            let found = self.next().await?;
            if found.kind == kind {
                return Some(found);
            }
        }
    }

    /// Reads until the end; gives the code and text of the GOAWAY, if there was one.
    pub async fn ending(&mut self) -> Option<(u32, String)> {
        let mut said = None;
        while let Some(found) = self.next().await {
            if found.kind == GOAWAY {
                said = Some((found.number(4), String::from_utf8_lossy(&found.payload[8..]).into_owned()));
            }
        }
        said
    }
}
