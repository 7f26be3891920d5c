//! What the cluster tests run inside pods, whose images have no shell: one program that listens,
//! connects, resolves names and reads files. It is also the pods' pause image. Prints one line for
//! an answer; the exit code says whether there was one.

#![expect(
    clippy::print_stdout,
    reason = "a terminal program: what it prints is its result"
)]

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs, UdpSocket};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::signal::{SigSet, Signal};

mod serve;

const USAGE: &str = "gryt-cluster-probe COMMAND
  pause                    waits for SIGTERM
  serve PORT...            answers TCP, HTTP and UDP on the ports until SIGTERM
  resolve NAME             prints the name's addresses
  connect HOST:PORT        opens a TCP connection
  ask HOST:PORT TEXT       sends a UDP datagram and prints the answer
  fetch HOST:PORT PATH     prints the status line and body of a plain HTTP GET
  write FILE TEXT          writes the file to disk
  read FILE                prints the file";

/// How long a connection or an answer may take: long for one hop, short for a test that expects
/// silence.
const PATIENCE: Duration = Duration::from_secs(2);

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        ["pause"] => wait_for_the_end(),
        ["serve", ports @ ..] => {
            for port in ports {
                serve::start(port.parse().context("parse the port")?)?;
            }
            wait_for_the_end()
        }
        ["resolve", name] => {
            let addresses = (*name, 0).to_socket_addrs().context("resolve the name")?;
            let mut addresses: Vec<String> = addresses.map(|a| a.ip().to_string()).collect();
            addresses.dedup();
            println!("{}", addresses.join(" "));
            Ok(())
        }
        ["connect", to] => {
            connect(to)?;
            println!("connected");
            Ok(())
        }
        ["ask", to, text] => ask(to, text),
        ["fetch", to, path] => fetch(to, path),
        ["write", file, text] => write(file, text),
        ["read", file] => {
            println!("{}", fs::read_to_string(file).context("read the file")?);
            Ok(())
        }
        _ => bail!("{USAGE}"),
    }
}

/// As process 1 of a pod nothing ends us unless we listen for it.
fn wait_for_the_end() -> Result<()> {
    let mut ends = SigSet::empty();
    ends.add(Signal::SIGTERM);
    ends.add(Signal::SIGINT);
    ends.thread_block().context("block the signals")?;
    ends.wait().context("wait for a signal")?;
    Ok(())
}

fn address(of: &str) -> Result<SocketAddr> {
    let mut addresses = of.to_socket_addrs().context("resolve the name")?;
    addresses.next().context("the name has no address")
}

fn connect(to: &str) -> Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address(to)?, PATIENCE).context("connect")?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

fn ask(to: &str, text: &str) -> Result<()> {
    let socket = UdpSocket::bind("0.0.0.0:0").context("open a socket")?;
    socket.connect(address(to)?).context("connect")?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.send(text.as_bytes()).context("send")?;
    let mut answer = [0; 1500];
    let length = socket.recv(&mut answer).context("wait for the answer")?;
    println!("{}", String::from_utf8_lossy(&answer[..length]).trim_end());
    Ok(())
}

fn fetch(to: &str, path: &str) -> Result<()> {
    let mut stream = connect(to)?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {to}\r\nConnection: close\r\n\r\n"
    )
    .context("send the request")?;
    let mut answer = Vec::new();
    stream
        .read_to_end(&mut answer)
        .context("read the response")?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .context("the answer is not HTTP")?;
    println!("{}\n{body}", head.lines().next().unwrap_or_default());
    Ok(())
}

fn write(file: &str, text: &str) -> Result<()> {
    let mut file = fs::File::create(file).context("create the file")?;
    file.write_all(text.as_bytes()).context("write the file")?;
    file.sync_all().context("sync the file")
}
