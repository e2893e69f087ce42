//! sqlx 0.9.0 leaves Nagle's algorithm on (RFC 896): the end of a COPY is then held back until the server acknowledges the rows, which it does 40 ms later
//! (RFC 1122, 4.2.3.2). It has no setting for it, and gives its socket to nobody; so the sockets of this process are looked through.

/// Lets the connections of this process to a port send at once. Where the kernel does not let it find them, they stay as they are: slower, not wrong.
#[cfg(target_os = "linux")]
pub fn send_at_once(port: u16) -> std::io::Result<()> {
    use std::{net::TcpStream, os::fd::RawFd};

    use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};

    let own = pidfd_open(getpid(), PidfdFlags::empty())?;
    for entry in std::fs::read_dir("/proc/self/fd")? {
        let number = entry?.file_name().to_str().and_then(|name| name.parse::<RawFd>().ok());
        // One that was closed meanwhile is none of those that are looked for.
        let Some(file) = number.and_then(|number| pidfd_getfd(&own, number, PidfdGetfdFlags::empty()).ok()) else {
            continue;
        };
        let socket = TcpStream::from(file);
        if socket.peer_addr().is_ok_and(|peer| peer.port() == port) {
            socket.set_nodelay(true)?;
        }
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
pub fn send_at_once(_port: u16) -> std::io::Result<()> {
    Ok(())
}

#[cfg(all(test, target_os = "linux"))]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::{
        net::{TcpListener, TcpStream},
        os::fd::AsRawFd,
    };

    use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};
    use testbed::means::has;

    use super::*;

    #[test]
    fn connections_to_the_port_send_at_once_and_no_others() {
        let listeners = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let [wanted, other] = listeners.each_ref().map(|listener| TcpStream::connect(listener.local_addr().unwrap()).unwrap());
        let own = pidfd_open(getpid(), PidfdFlags::empty());
        let looked = own.is_ok_and(|own| pidfd_getfd(own, wanted.as_raw_fd(), PidfdGetfdFlags::empty()).is_ok());
        if !has("right to find its own sockets (pidfd_getfd)", looked) {
            return;
        }
        assert!(!wanted.nodelay().unwrap());
        send_at_once(wanted.peer_addr().unwrap().port()).unwrap();
        assert!(wanted.nodelay().unwrap());
        assert!(!other.nodelay().unwrap());
    }
}
