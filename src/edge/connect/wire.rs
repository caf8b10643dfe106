//! The bytes below the login: name look-up, TCP or a unix socket, the request for TLS and the handshake.
//!
//! The driver could do most of this, but reports it as one of a few strings. Here every step is taken apart so that its
//! failure has a name.

use std::{
    future::{Ready, ready},
    io,
    net::{IpAddr, SocketAddr},
    path::Path,
    pin::Pin,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use socket2::{SockRef, TcpKeepalive};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf},
    net::{TcpStream, UnixStream, lookup_host},
    time::timeout,
};
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{Cause, ConnectSpec, Phase, Transport, classify, frames::Frames, within};
use crate::{edge::tls::TlsMode, model::shown::quoted};

/// SSLRequest: length 8, code 80877103
/// (<https://www.postgresql.org/docs/current/protocol-message-formats.html#PROTOCOL-MESSAGE-FORMATS-SSLREQUEST>).
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

/// How long a peer may leave sent bytes unacknowledged before the connection counts as lost.
const UNACKNOWLEDGED: Duration = Duration::from_secs(30);

/// How much of a stranger's greeting is kept for the message.
const GREETING: usize = 40;

/// libpq takes no first message longer than this for one of a PostgreSQL server.
const LONGEST_FIRST_MESSAGE: u32 = 30_000;

/// `host:port`, with brackets round an IPv6 address; a socket's folder with its port's file.
pub(super) fn host_port(host: &str, port: u16) -> String {
    if host.starts_with('/') {
        format!("{}/.s.PGSQL.{port}", quoted(host.trim_end_matches('/')))
    } else if host.contains(':') {
        format!("[{}]:{port}", quoted(host))
    } else {
        format!("{}:{port}", quoted(host))
    }
}

/// The step that is under way, for when the time for all of them is up.
#[derive(Debug, Default)]
pub(super) struct Progress(AtomicU8);

impl Progress {
    pub(super) fn set(&self, phase: Phase) {
        self.0.store(phase as u8, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> Phase {
        let now = self.0.load(Ordering::Relaxed);
        Phase::ALL
            .into_iter()
            .find(|phase| *phase as u8 == now)
            .unwrap_or(Phase::Resolve)
    }
}

/// A connection that is ready for the login.
pub(super) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
    Tls(Pin<Box<dyn TlsStream + Send>>),
}

/// Connects and, as far as it is asked for, negotiates TLS.
pub(super) async fn dial(spec: &ConnectSpec, at: &Progress) -> Result<(Stream, Transport), Cause> {
    at.set(Phase::Resolve);
    if spec.host.starts_with('/') && spec.tcp_override.is_none() {
        at.set(Phase::Tcp);
        return dial_socket(spec)
            .await
            .map(|stream| (Stream::Unix(stream), Transport::Socket));
    }
    let mut tcp = dial_tcp(spec, at).await?;
    let mode = spec.tls.effective_mode();
    if mode == TlsMode::Disable {
        return Ok((Stream::Tcp(tcp), Transport::Plain));
    }
    at.set(Phase::TlsRequest);
    let answer = within(spec.timeouts.tls, Phase::TlsRequest, ask_for_tls(&mut tcp)).await?;
    match answer.map_err(|error| classify::broken(&error, Phase::TlsRequest))? {
        Answer::Yes => {}
        Answer::No if mode == TlsMode::Prefer => return Ok((Stream::Tcp(tcp), Transport::Plain)),
        Answer::No => return Err(Cause::NoTls { mode }),
        // An error in place of a yes or no is not authenticated; it is told, and acted upon in no way.
        Answer::Error(said) => return Err(Cause::RefusedAtOnce { said }),
        Answer::Stranger(greeting) => return Err(Cause::NotPostgres { greeting }),
    }
    at.set(Phase::Handshake);
    let (config, seen) = spec.tls.client_config();
    let Ok(connect) = MakeTlsConnect::<TcpStream>::make_tls_connect(
        &mut MakeRustlsConnect::new(config),
        spec.host.strip_suffix('.').unwrap_or(&spec.host),
    );
    let stream = within(spec.timeouts.tls, Phase::Handshake, connect.connect(tcp))
        .await?
        .map_err(|error| classify::handshake_failure(&error, spec, seen.get()))?;
    Ok((
        Stream::Tls(Box::pin(stream)),
        Transport::Tls {
            mode,
            certificate: seen.get(),
        },
    ))
}

async fn dial_socket(spec: &ConnectSpec) -> Result<UnixStream, Cause> {
    let path = Path::new(&spec.host).join(format!(".s.PGSQL.{}", spec.port));
    within(spec.timeouts.tcp, Phase::Tcp, UnixStream::connect(&path))
        .await?
        .map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Cause::NoSocket { path: path.clone() },
            io::ErrorKind::ConnectionRefused => Cause::Refused {
                address: path.display().to_string(),
            },
            _ => Cause::Unreachable {
                address: path.display().to_string(),
                why: error.to_string(),
            },
        })
}

async fn dial_tcp(spec: &ConnectSpec, at: &Progress) -> Result<TcpStream, Cause> {
    let (host, port) = spec
        .tcp_override
        .as_ref()
        .map_or((spec.host.as_str(), spec.port), |(host, port)| {
            (host.as_str(), *port)
        });
    let addresses = resolve(host, port, spec.timeouts.tcp).await?;
    at.set(Phase::Tcp);
    let mut last = None;
    for address in addresses {
        if spec.tls.effective_mode() == TlsMode::Prefer
            && spec.tcp_override.is_none()
            && !address.ip().is_loopback()
        {
            return Err(Cause::LocalhostIsElsewhere {
                address: address.ip(),
            });
        }
        match timeout(spec.timeouts.tcp, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // Neither is needed for correctness; a kernel without them is no reason to fail.
                let _nodelay = stream.set_nodelay(true);
                let _lively = keep_watch(&stream);
                return Ok(stream);
            }
            Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
                last = Some(Cause::Refused {
                    address: address.to_string(),
                });
            }
            Ok(Err(error)) => {
                last = Some(Cause::Unreachable {
                    address: address.to_string(),
                    why: error.to_string(),
                });
            }
            Err(_) => {
                last = Some(Cause::Silent {
                    address: address.to_string(),
                    after: spec.timeouts.tcp,
                })
            }
        }
    }
    Err(last.unwrap_or_else(|| Cause::Dns {
        host: host.to_owned(),
        why: "it has no address".to_owned(),
    }))
}

async fn resolve(host: &str, port: u16, limit: Duration) -> Result<Vec<SocketAddr>, Cause> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let failed = |why: String| Cause::Dns {
        host: host.to_owned(),
        why,
    };
    match timeout(limit, lookup_host((host, port))).await {
        Ok(Ok(addresses)) => Ok(addresses.collect()),
        Ok(Err(error)) => {
            // glibc's prefix is of no use to the reader.
            let text = error.to_string();
            Err(failed(
                text.strip_prefix("failed to lookup address information: ")
                    .unwrap_or(&text)
                    .to_owned(),
            ))
        }
        Err(_) => Err(failed(format!("no answer within {} s", limit.as_secs_f32()))),
    }
}

/// Notices a peer that is gone without a word, which a query would otherwise wait for.
fn keep_watch(stream: &TcpStream) -> io::Result<()> {
    let socket = SockRef::from(stream);
    let keepalive = TcpKeepalive::new()
        .with_time(Duration::from_secs(15))
        .with_interval(Duration::from_secs(5));
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED))?;
    Ok(())
}

enum Answer {
    Yes,
    No,
    Error(String),
    Stranger(String),
}

/// Exactly one byte is read before the handshake: bytes that someone slipped in behind it must not count as encrypted
/// (CVE-2021-23222).
async fn ask_for_tls(tcp: &mut TcpStream) -> io::Result<Answer> {
    tcp.write_all(&SSL_REQUEST).await?;
    match tcp.read_u8().await? {
        b'S' => Ok(Answer::Yes),
        b'N' => Ok(Answer::No),
        first => {
            let mut rest = [0; 256];
            let count = match timeout(Duration::from_millis(300), tcp.read(&mut rest)).await {
                Ok(Ok(count)) => count,
                _ => 0,
            };
            let rest = &rest[..count];
            // An old server that cannot fork answers 'E' and plain text, a newer one 'E' and a message with a length.
            Ok(match (first, rest) {
                (b'E', [0, _, _, _, fields @ ..]) => Answer::Error(error_field(fields)),
                (b'E', [_, ..]) if rest.ends_with(b"\0") || rest.ends_with(b"\n\0") => {
                    Answer::Error(quoted(&String::from_utf8_lossy(rest)))
                }
                _ => Answer::Stranger(greeting(&[&[first], rest].concat())),
            })
        }
    }
}

/// The `M` field of an ErrorResponse: zero-ended strings, each after a byte with its kind.
fn error_field(fields: &[u8]) -> String {
    fields
        .split(|byte| *byte == 0)
        .find_map(|field| field.strip_prefix(b"M"))
        .map_or_else(
            || "nothing more".to_owned(),
            |text| quoted(&String::from_utf8_lossy(text)),
        )
}

fn greeting(bytes: &[u8]) -> String {
    quoted(&String::from_utf8_lossy(&bytes[..bytes.len().min(GREETING)]))
}

/// A stream whose first bytes must be those of a PostgreSQL server, and whose answers must not be endless. Without this, the driver
/// would take any five bytes for a header and wait for as many bytes as they seem to announce.
pub(super) struct Checked {
    stream: Stream,
    head: Vec<u8>,
    first_words: FirstWords,
    frames: Frames,
    /// Why the session ended, where that was found here.
    ended: Arc<OnceLock<String>>,
    shut: bool,
}

/// What the peer said first, if that was not PostgreSQL's protocol.
#[derive(Debug, Clone, Default)]
pub(super) struct FirstWords(Arc<Mutex<Option<String>>>);

impl FirstWords {
    pub(super) fn of_a_stranger(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Checked {
    pub(super) fn new(stream: Stream, ended: Arc<OnceLock<String>>) -> Self {
        Self {
            stream,
            head: Vec::new(),
            first_words: FirstWords::default(),
            frames: Frames::default(),
            ended,
            shut: false,
        }
    }

    pub(super) fn first_words(&self) -> FirstWords {
        self.first_words.clone()
    }

    /// Looks at bytes that have just come in.
    fn check(&mut self, fresh: &[u8]) -> io::Result<()> {
        self.check_head(fresh)?;
        self.frames.count(fresh).map_err(|why| {
            // Told before the driver hangs up, since whoever waits for an answer only learns that.
            let _first = self.ended.set(why.clone());
            io::Error::other(why)
        })
    }

    /// Until the first header is complete.
    fn check_head(&mut self, fresh: &[u8]) -> io::Result<()> {
        if self.head.len() >= 5 || fresh.is_empty() {
            return Ok(());
        }
        self.head.extend_from_slice(&fresh[..fresh.len().min(GREETING)]);
        // Authentication, error, or negotiation of the protocol's version; nothing else may come first.
        let right_kind = matches!(self.head[0], b'R' | b'E' | b'v');
        let right_length = match self.head[1..] {
            [a, b, c, d, ..] => (4..=LONGEST_FIRST_MESSAGE).contains(&u32::from_be_bytes([a, b, c, d])),
            _ => true,
        };
        if right_kind && right_length {
            return Ok(());
        }
        *self.first_words.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(greeting(&self.head));
        Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "not the protocol of PostgreSQL",
        ))
    }
}

impl AsyncRead for Checked {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = match &mut self.stream {
            Stream::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            Stream::Unix(stream) => Pin::new(stream).poll_read(cx, buf),
            Stream::Tls(stream) => stream.as_mut().poll_read(cx, buf),
        };
        match polled {
            Poll::Ready(Ok(())) => Poll::Ready(self.check(&buf.filled()[before..])),
            other => other,
        }
    }
}

impl AsyncWrite for Checked {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.stream {
            Stream::Tcp(stream) => Pin::new(stream).poll_write(cx, buf),
            Stream::Unix(stream) => Pin::new(stream).poll_write(cx, buf),
            Stream::Tls(stream) => stream.as_mut().poll_write(cx, buf),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Unix(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Tls(stream) => stream.as_mut().poll_flush(cx),
        }
    }

    /// Says goodbye, and waits until the server has hung up: then its process is gone, and the connection is free.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.shut {
            let polled = match &mut self.stream {
                Stream::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
                Stream::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
                Stream::Tls(stream) => stream.as_mut().poll_shutdown(cx),
            };
            match polled {
                Poll::Ready(Ok(())) => self.shut = true,
                other => return other,
            }
        }
        loop {
            let mut space = [0; 512];
            let mut last_words = ReadBuf::new(&mut space);
            let polled = match &mut self.stream {
                Stream::Tcp(stream) => Pin::new(stream).poll_read(cx, &mut last_words),
                Stream::Unix(stream) => Pin::new(stream).poll_read(cx, &mut last_words),
                Stream::Tls(stream) => stream.as_mut().poll_read(cx, &mut last_words),
            };
            match polled {
                Poll::Ready(Ok(())) if last_words.filled().is_empty() => return Poll::Ready(Ok(())),
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) => return Poll::Ready(Ok(())),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

impl TlsStream for Checked {
    fn channel_binding(&self) -> ChannelBinding {
        match &self.stream {
            Stream::Tls(stream) => stream.channel_binding(),
            Stream::Tcp(_) | Stream::Unix(_) => ChannelBinding::none(),
        }
    }
}

/// Tells the driver that there is nothing left to negotiate.
pub(super) struct AlreadyNegotiated;

impl TlsConnect<Checked> for AlreadyNegotiated {
    type Stream = Checked;
    type Error = io::Error;
    type Future = Ready<io::Result<Checked>>;

    fn connect(self, stream: Checked) -> Self::Future {
        ready(Ok(stream))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(chunks: &[&[u8]]) -> Result<(), String> {
        // The stream itself is never read here.
        let (near, _far) = std::os::unix::net::UnixStream::pair().expect("a pair of sockets");
        near.set_nonblocking(true).expect("non-blocking");
        let near = UnixStream::from_std(near).expect("a socket");
        let mut checked = Checked::new(Stream::Unix(near), Arc::default());
        let words = checked.first_words();
        chunks
            .iter()
            .try_for_each(|chunk| checked.check(chunk))
            .map_err(|_| words.of_a_stranger().expect("the greeting is kept"))
    }

    #[tokio::test]
    async fn postgresql_is_told_from_strangers() {
        assert_eq!(first(&[b"R\0\0\0\x08\0\0\0\0"]), Ok(()));
        assert_eq!(first(&[b"E", b"\0\0", b"\0\x50", b"anything"]), Ok(()));
        assert_eq!(first(&[b"v\0\0\0\x0c"]), Ok(()));
        assert_eq!(first(&[b"HTTP/1.1 400 Bad"]), Err("HTTP/1.1 400 Bad".to_owned()));
        assert_eq!(first(&[b"SSH-2.0-x\r\n"]), Err("SSH-2.0-x".to_owned()));
        assert!(first(&[b"Rand", b"om words"]).is_err());
        assert!(
            first(&[b"R\0\0\0\x03"]).is_err(),
            "shorter than its own length field"
        );
        assert!(first(&[b"\x15\x03\x03\0\x02\x02\x28"]).is_err(), "a TLS alert");
    }

    #[test]
    fn endpoints_are_written_as_people_write_them() {
        assert_eq!(host_port("db.example", 5432), "db.example:5432");
        assert_eq!(host_port("::1", 5432), "[::1]:5432");
        assert_eq!(host_port("/tmp/", 5432), "/tmp/.s.PGSQL.5432");
    }

    #[test]
    fn an_early_error_is_read() {
        assert_eq!(
            error_field(b"SFATAL\0C53300\0Mtoo many\x1b[2J clients\0\0"),
            "too many [2J clients"
        );
        assert_eq!(error_field(b"SFATAL\0\0"), "nothing more");
    }
}
