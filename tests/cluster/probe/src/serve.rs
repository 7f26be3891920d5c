//! The listening side of the probe: every answer names the pod and the address it saw, so that a
//! test knows who answered and through what.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::thread;

use anyhow::{Context, Result};

/// Starts answering TCP and UDP on the port, on every address.
pub(crate) fn start(port: u16) -> Result<()> {
    let tcp = TcpListener::bind(("::", port)).with_context(|| format!("listen on {port}/tcp"))?;
    let udp = UdpSocket::bind(("::", port)).with_context(|| format!("listen on {port}/udp"))?;
    thread::spawn(move || {
        for stream in tcp.incoming().flatten() {
            thread::spawn(move || {
                // A peer that went away is its own affair.
                let _ = answer(stream);
            });
        }
    });
    thread::spawn(move || {
        let mut datagram = [0; 1500];
        while let Ok((length, from)) = udp.recv_from(&mut datagram) {
            let text = String::from_utf8_lossy(&datagram[..length]).into_owned();
            let _ = udp.send_to(line(text.trim_end(), from).as_bytes(), from);
        }
    });
    Ok(())
}

fn answer(mut stream: TcpStream) -> Result<()> {
    let from = stream.peer_addr()?;
    let mut request = [0; 8192];
    let length = stream.read(&mut request)?;
    let request = String::from_utf8_lossy(&request[..length]).into_owned();
    let first = request.lines().next().unwrap_or_default();
    let body = line(first, from);
    if first.ends_with("HTTP/1.1") {
        let length = body.len();
        write!(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
        )?;
    }
    stream.write_all(body.as_bytes())?;
    Ok(())
}

/// The asked text, this pod's name, and who asked.
fn line(text: &str, from: SocketAddr) -> String {
    let pod = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
    let from = from.ip().to_canonical();
    format!("{text} | {} | {from}\n", pod.trim())
}
