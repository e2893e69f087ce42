use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::{JoinHandle, JoinSet},
};

use crate::seed::Seed;

/// From the first piece that is lost until the connection is reset.
const LOSS: Duration = Duration::from_millis(60);

/// What happens between a client and a service. Within a connection TLS keeps bytes in order and once, so that of pieces that come twice the second ends
/// it; a call that comes twice is one that its client repeats because it was not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Pass,
    /// Every piece waits, in both directions.
    Delay(Duration),
    /// Nothing passes until the mode changes.
    Hold,
    /// Every piece of a request comes twice.
    Duplicate,
    /// Requests pass; the first piece of an answer is lost and the connection is reset.
    LoseReplies,
    /// So many more bytes of answers pass, then the connection is reset.
    CutAfter(usize),
    /// The client hears that the service has said all, and the service goes on listening.
    HalfClose,
}

/// A TCP relay that does what it is told to all its connections.
pub struct Proxy {
    address: SocketAddr,
    mode: watch::Sender<Mode>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// A relay to `https://127.0.0.1:PORT`, or to a bare address.
    pub async fn to(target: &str) -> Self {
        let target: SocketAddr = target.trim_start_matches("https://").parse().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (mode, watched) = watch::channel(Mode::Pass);
        let task = tokio::spawn(async move {
            // Dropped with the relay, so that no connection outlives it.
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                while connections.try_join_next().is_some() {}
                connections.spawn(relay(client, target, watched.clone()));
            }
        });
        Self { address, mode, task }
    }

    pub fn address(&self) -> String {
        format!("https://{}", self.address)
    }

    pub fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn relay(client: TcpStream, target: SocketAddr, mode: watch::Receiver<Mode>) {
    let Ok(service) = TcpStream::connect(target).await else { return };
    for socket in [&client, &service] {
        // It may be closed already.
        let _ = socket.set_nodelay(true);
    }
    // Whoever ends a connection in the middle ends it in both directions.
    let both = watch::Sender::new(false);
    let (from_client, to_client) = client.into_split();
    let (from_service, to_service) = service.into_split();
    let mut ended = both.subscribe();
    tokio::select! {
        _ = async { tokio::join!(requests(from_client, to_service, mode.clone()), answers(from_service, to_client, mode, &both)) } => {}
        _ = ended.wait_for(|ended| *ended) => {}
    }
}

async fn requests(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut mode: watch::Receiver<Mode>) {
    let mut piece = vec![0; 16 * 1024];
    while let Ok(n @ 1..) = from.read(&mut piece).await {
        wait(&mut mode).await;
        let times = if *mode.borrow() == Mode::Duplicate { 2 } else { 1 };
        for _ in 0..times {
            if to.write_all(&piece[..n]).await.is_err() {
                return;
            }
        }
    }
    // The service has gone, too, where that fails.
    let _ = to.shutdown().await;
}

async fn answers(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut mode: watch::Receiver<Mode>, both: &watch::Sender<bool>) {
    let (mut piece, mut passed, mut closed) = (vec![0; 16 * 1024], 0_usize, false);
    while let Ok(n @ 1..) = from.read(&mut piece).await {
        wait(&mut mode).await;
        let now = *mode.borrow();
        let pass = match now {
            Mode::Pass | Mode::Delay(_) | Mode::Hold | Mode::Duplicate => {
                passed = 0;
                n
            }
            Mode::LoseReplies => 0,
            Mode::CutAfter(limit) => {
                let pass = n.min(limit.saturating_sub(passed));
                passed += pass;
                pass
            }
            Mode::HalfClose => {
                if !closed {
                    // The client may have left.
                    let _ = to.shutdown().await;
                    closed = true;
                }
                continue;
            }
        };
        if closed || to.write_all(&piece[..pass]).await.is_err() {
            return;
        }
        if pass < n {
            // What was asked for is done by then.
            tokio::time::sleep(LOSS).await;
            // Without a farewell: either may have gone already.
            let _ = to.as_ref().set_zero_linger();
            let _ = from.as_ref().set_zero_linger();
            to.forget();
            both.send_replace(true);
            return;
        }
    }
    let _ = to.shutdown().await;
}

async fn wait(mode: &mut watch::Receiver<Mode>) {
    let now = *mode.borrow();
    match now {
        Mode::Delay(time) => tokio::time::sleep(time).await,
        // The relay is gone where nobody sets the mode any more.
        Mode::Hold => {
            let _ = mode.wait_for(|mode| *mode != Mode::Hold).await;
        }
        _ => {}
    }
}

/// Some fault, as the seed has it.
pub fn fault(seed: &mut Seed) -> Mode {
    match seed.within(0, 6) {
        0 => Mode::LoseReplies,
        1 => Mode::CutAfter(seed.within(0, 300) as usize),
        2 => Mode::HalfClose,
        3 => Mode::Duplicate,
        4 => Mode::Hold,
        _ => Mode::Delay(Duration::from_millis(seed.within(1, 50))),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    /// A service that says everything twice.
    async fn echo() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut piece = [0; 64];
                    while let Ok(n @ 1..) = socket.read(&mut piece).await {
                        socket.write_all(&piece[..n].repeat(2)).await.unwrap();
                    }
                });
            }
        });
        address
    }

    async fn connected() -> (Proxy, TcpStream) {
        let proxy = Proxy::to(&echo().await).await;
        let socket = TcpStream::connect(proxy.address).await.unwrap();
        (proxy, socket)
    }

    async fn said(socket: &mut TcpStream, n: usize) -> std::io::Result<Vec<u8>> {
        let mut heard = vec![0; n];
        socket.read_exact(&mut heard).await?;
        Ok(heard)
    }

    #[tokio::test]
    async fn each_fault_is_what_it_is_called() {
        let (proxy, mut socket) = connected().await;
        socket.write_all(b"ab").await.unwrap();
        assert_eq!(said(&mut socket, 4).await.unwrap(), b"abab");

        proxy.set(Mode::Delay(Duration::from_millis(100)));
        let began = Instant::now();
        socket.write_all(b"c").await.unwrap();
        assert_eq!(said(&mut socket, 2).await.unwrap(), b"cc");
        assert!(began.elapsed() >= Duration::from_millis(200), "there and back");

        proxy.set(Mode::Hold);
        socket.write_all(b"d").await.unwrap();
        assert!(tokio::time::timeout(Duration::from_millis(100), said(&mut socket, 2)).await.is_err(), "held");
        proxy.set(Mode::Pass);
        assert_eq!(said(&mut socket, 2).await.unwrap(), b"dd");

        proxy.set(Mode::Duplicate);
        socket.write_all(b"x").await.unwrap();
        assert_eq!(said(&mut socket, 4).await.unwrap(), b"xxxx");

        proxy.set(Mode::CutAfter(3));
        socket.write_all(b"ef").await.unwrap();
        assert_eq!(said(&mut socket, 3).await.unwrap(), b"efe");
        assert_eq!(said(&mut socket, 1).await.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);

        let (proxy, mut socket) = connected().await;
        proxy.set(Mode::LoseReplies);
        socket.write_all(b"g").await.unwrap();
        assert_eq!(said(&mut socket, 1).await.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);

        let (proxy, mut socket) = connected().await;
        proxy.set(Mode::HalfClose);
        socket.write_all(b"h").await.unwrap();
        assert_eq!(said(&mut socket, 1).await.unwrap_err().kind(), std::io::ErrorKind::UnexpectedEof);
        socket.write_all(b"i").await.unwrap();
    }
}
