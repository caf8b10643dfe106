//! Peers that are silent, broken, in between, or up to no good: each ends in its own error, within the limits.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use greenlight::edge::connect::{Cause, Phase, SettingsSent};
use sandbox::proxy::{Mode, Proxy};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
};

use super::*;

/// All limits of [`impatient`] together, and time for a busy machine; less than any limit of [`toward`].
const DEADLINE: Duration = Duration::from_secs(8);

/// A listener whose every connection is handled by `handle`.
async fn peer<F: Future<Output = Option<()>> + Send + 'static>(
    handle: impl Fn(TcpStream) -> F + Send + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(handle(socket));
        }
    });
    address
}

/// To a peer that answers, however long a busy machine takes for it.
fn toward(address: SocketAddr, mode: TlsMode) -> ConnectSpec {
    let spec = ConnectSpec::new(
        "blue.example",
        5432,
        "postgres",
        with_password("me", PLANTED),
        bundled(mode),
    );
    let mut spec = spec.through(address.ip().to_string(), address.port());
    spec.timeouts = Timeouts::within(Duration::from_secs(20));
    spec
}

/// To a peer that is never going to answer.
fn in_vain(address: SocketAddr, mode: TlsMode) -> ConnectSpec {
    impatient(toward(address, mode))
}

async fn timely_refusal(spec: &ConnectSpec) -> ConnectError {
    let began = Instant::now();
    let error = refusal(spec).await;
    assert!(began.elapsed() < DEADLINE, "{:?}: {error}", began.elapsed());
    error
}

/// A message before the protocol proper: a length and that many bytes.
async fn startup(socket: &mut TcpStream) -> Option<Vec<u8>> {
    let length = socket.read_u32().await.ok()?;
    let mut body = vec![0; usize::try_from(length).ok()?.checked_sub(4)?];
    socket.read_exact(&mut body).await.ok()?;
    Some(body)
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).expect("short");
    [&[kind], length.to_be_bytes().as_slice(), body].concat()
}

fn refused(code: &str, routine: &str, text: &str) -> Vec<u8> {
    message(
        b'E',
        format!("SFATAL\0VFATAL\0C{code}\0M{text}\0R{routine}\0\0").as_bytes(),
    )
}

/// Reads what the client says first, answers with `bytes`, and waits for it to leave.
async fn answering(bytes: Vec<u8>) -> SocketAddr {
    peer(move |mut socket| {
        let bytes = bytes.clone();
        async move {
            startup(&mut socket).await?;
            socket.write_all(&bytes).await.ok()?;
            let mut rest = Vec::new();
            socket.read_to_end(&mut rest).await.ok()?;
            Some(())
        }
    })
    .await
}

#[tokio::test]
async fn silence_ends_at_the_step_it_is_met() {
    let server = server(ServerOptions::new(15)).await;
    let proxy = Proxy::start(server.address()).await.expect("a proxy");
    proxy.set_mode(Mode::BlackHole).await;
    for (mode, phase) in [
        (TlsMode::VerifyFull, Phase::TlsRequest),
        (TlsMode::Disable, Phase::Login),
    ] {
        let error = timely_refusal(&in_vain(proxy.addr(), mode)).await;
        assert_eq!(
            *error.cause,
            Cause::Timeout {
                phase,
                after: Duration::from_millis(300)
            },
            "{error}"
        );
        assert!(error.cause.is_transient());
    }
    // Time for the yes.
    let mut yes = toward(answering(b"S".to_vec()).await, TlsMode::VerifyFull);
    let after = Duration::from_secs(1);
    yes.timeouts.tls = after;
    let error = timely_refusal(&yes).await;
    assert_eq!(
        *error.cause,
        Cause::Timeout {
            phase: Phase::Handshake,
            after
        },
        "{error}"
    );

    let mut slow = in_vain(proxy.addr(), TlsMode::Disable);
    slow.timeouts.login = Duration::from_secs(60);
    let error = timely_refusal(&slow).await;
    let after = Duration::from_millis(900);
    assert_eq!(
        *error.cause,
        Cause::Timeout {
            phase: Phase::Login,
            after
        },
        "the whole is limited too"
    );
}

#[tokio::test]
async fn a_full_queue_is_silence_too() {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
    let any: SocketAddr = ([127, 0, 0, 1], 0).into();
    socket.bind(&any.into()).expect("bound");
    socket.listen(0).expect("listens");
    let address = socket
        .local_addr()
        .expect("bound")
        .as_socket()
        .expect("an IP address");
    let mut queue = Vec::new();
    for _ in 0..4 {
        queue.push(tokio::time::timeout(Duration::from_millis(50), TcpStream::connect(address)).await);
    }
    let error = timely_refusal(&in_vain(address, TlsMode::VerifyFull)).await;
    let after = Duration::from_millis(300);
    assert_eq!(
        *error.cause,
        Cause::Silent {
            address: address.to_string(),
            after
        },
        "{error}"
    );
    assert!(error.to_string().contains("security group"), "{error}");
}

#[tokio::test]
async fn closing_early_is_told_with_its_step() {
    let server = server(ServerOptions::new(15)).await;
    let proxy = Proxy::start(server.address()).await.expect("a proxy");
    proxy.set_mode(Mode::HalfClosed).await;
    let closing = peer(|socket| async move {
        drop(socket);
        Some(())
    })
    .await;
    let after_yes = peer(|mut socket| async move {
        startup(&mut socket).await?;
        socket.write_all(b"S").await.ok()
    })
    .await;
    let in_message = peer(|mut socket| async move {
        startup(&mut socket).await?;
        socket.write_all(b"R\0\0").await.ok()
    })
    .await;
    for (address, mode, phase) in [
        (proxy.addr(), TlsMode::VerifyFull, Phase::TlsRequest),
        (proxy.addr(), TlsMode::Disable, Phase::Login),
        (closing, TlsMode::VerifyFull, Phase::TlsRequest),
        (closing, TlsMode::Disable, Phase::Login),
        (after_yes, TlsMode::VerifyFull, Phase::Handshake),
    ] {
        let error = timely_refusal(&toward(address, mode)).await;
        assert_eq!(*error.cause, Cause::Closed { phase }, "{error}");
    }
    let error = timely_refusal(&toward(in_message, TlsMode::Disable)).await;
    assert_eq!(error.cause.code(), "closed", "{error}");
}

#[tokio::test]
async fn strangers_are_no_postgresql() {
    for greeting in [
        "HTTP/1.1 400 Bad Request\r\n\r\n",
        "SSH-2.0-OpenSSH_9.2\r\n",
        "\u{1b}[31mred\u{7}",
    ] {
        for mode in [TlsMode::VerifyFull, TlsMode::Disable] {
            let error = timely_refusal(&toward(answering(greeting.into()).await, mode)).await;
            // `S` is a yes to the request for TLS, and what follows is no handshake.
            let wanted = if greeting.starts_with('S') && mode != TlsMode::Disable {
                "tls-failed"
            } else {
                "not-postgresql"
            };
            assert_eq!(error.cause.code(), wanted, "{error}");
            assert!(!error.to_string().chars().any(char::is_control), "{error:?}");
        }
    }
    let error = timely_refusal(&toward(answering(b"N".to_vec()).await, TlsMode::VerifyFull)).await;
    assert_eq!(
        *error.cause,
        Cause::NoTls {
            mode: TlsMode::VerifyFull
        }
    );
    let early = refused("53300", "x", "sorry, too many clients already");
    let error = timely_refusal(&toward(answering(early).await, TlsMode::VerifyFull)).await;
    assert_eq!(
        *error.cause,
        Cause::RefusedAtOnce {
            said: "sorry, too many clients already".to_owned()
        }
    );
}

#[tokio::test]
async fn any_bytes_at_all_end_in_an_error() {
    // xorshift: the same bytes in every run.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let starts: [&[u8]; 6] = [
        b"",
        b"S",
        b"R\0\0\0\x08\0\0\0",
        b"R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0",
        b"R\0\0\0\x08\0\0\0\0",
        b"E\0\0\0\x20",
    ];
    for round in 0..60 {
        let mut bytes = starts[round % starts.len()].to_vec();
        for _ in 0..random() % 40 {
            bytes.extend_from_slice(&random().to_le_bytes());
        }
        let address = answering(bytes.clone()).await;
        for mode in [TlsMode::VerifyFull, TlsMode::Disable] {
            let mut spec = toward(address, mode);
            spec.timeouts = Timeouts::within(Duration::from_millis(100));
            timely_refusal(&spec).await;
        }
    }
}

#[tokio::test]
async fn a_dripping_server_ends_in_the_limit() {
    let address = peer(|mut socket| async move {
        startup(&mut socket).await?;
        socket.write_all(b"R\0\0\x70\0").await.ok()?;
        loop {
            tokio::time::sleep(Duration::from_millis(20)).await;
            socket.write_all(b"x").await.ok()?;
        }
    })
    .await;
    let error = timely_refusal(&in_vain(address, TlsMode::Disable)).await;
    assert_eq!(error.cause.code(), "timeout", "{error}");
}

#[tokio::test]
async fn answers_that_a_real_server_gives_seldom() {
    for (code, routine, text, wanted, transient) in [
        (
            "57P03",
            "ProcessStartupPacket",
            "the database system is starting up",
            "not-ready",
            true,
        ),
        (
            "57P01",
            "ProcessInterrupts",
            "terminating connection due to administrator command",
            "shutting-down",
            true,
        ),
        (
            "28000",
            "auth_failed",
            "PAM authentication failed for user \"me\"",
            "wants-iam",
            false,
        ),
        (
            "28000",
            "auth_failed",
            "Peer authentication failed for user \"me\"",
            "other-login",
            false,
        ),
        (
            "28000",
            "ClientAuthentication",
            "no pg_hba.conf entry for host \"10.0.0.1\", user \"me\", database \"d\", SSL off",
            "wants-tls",
            false,
        ),
        (
            "28000",
            "ClientAuthentication",
            "kein pg_hba.conf-Eintrag: no encryption",
            "wants-tls",
            false,
        ),
        (
            "08P01",
            "x",
            "unsupported startup parameter: options",
            "pooler",
            false,
        ),
        (
            "08P01",
            "x",
            "unsupported startup parameter in options: lock_timeout",
            "pooler",
            false,
        ),
        (
            "XX000",
            "x",
            "something \u{1b}]0;else\u{7}\nwent \u{202e}wrong",
            "server",
            false,
        ),
    ] {
        let error = timely_refusal(&toward(
            answering(refused(code, routine, text)).await,
            TlsMode::Disable,
        ))
        .await;
        assert_eq!(
            (error.cause.code(), error.cause.is_transient()),
            (wanted, transient),
            "{error}"
        );
        assert!(
            !error
                .to_string()
                .chars()
                .any(|c| c.is_control() || c == '\u{202e}'),
            "{error:?}"
        );
    }
    for method in [7_u8, 2] {
        let address = answering(message(b'R', &[0, 0, 0, method])).await;
        let error = timely_refusal(&toward(address, TlsMode::Disable)).await;
        assert_eq!(error.cause.code(), "login-method", "{error}");
    }
}

#[tokio::test]
async fn a_server_that_repeats_the_password_is_not_quoted() {
    let address = peer(|mut socket| async move {
        startup(&mut socket).await?;
        socket.write_all(&message(b'R', &[0, 0, 0, 3])).await.ok()?;
        let _kind = socket.read_u8().await.ok()?;
        let password = String::from_utf8(startup(&mut socket).await?).ok()?;
        let password = password.trim_end_matches('\0');
        assert_eq!(password, PLANTED, "plain text was asked for, so here it is");
        let text = format!("not {password}, and not {password}{password} either");
        socket
            .write_all(&refused("28P01", "auth_failed", &text))
            .await
            .ok()?;
        socket.write_all(&refused("XX000", "x", &text)).await.ok()
    })
    .await;
    let error = timely_refusal(&toward(address, TlsMode::Disable)).await;
    assert_eq!(error.cause.code(), "wrong-password", "{error}");
}

/// The startup message as it is to go on to the server, or an answer in its place.
type Treatment = fn(Vec<u8>) -> Result<Vec<u8>, Vec<u8>>;

/// Something between client and server that treats the startup message in its own way.
async fn in_between(server: SocketAddr, treat: Treatment) -> SocketAddr {
    peer(move |mut near| async move {
        match treat(startup(&mut near).await?) {
            Ok(packet) => {
                let mut far = TcpStream::connect(server).await.ok()?;
                far.write_u32(u32::try_from(packet.len() + 4).ok()?).await.ok()?;
                far.write_all(&packet).await.ok()?;
                let _done = copy_bidirectional(&mut near, &mut far).await;
                Some(())
            }
            Err(answer) => near.write_all(&answer).await.ok(),
        }
    })
    .await
}

fn without_options(packet: &[u8]) -> Option<Vec<u8>> {
    let text = String::from_utf8_lossy(&packet[4..]);
    let (before, after) = text.split_once("options\0")?;
    let (_options, after) = after.split_once('\0')?;
    Some([&packet[..4], before.as_bytes(), after.as_bytes()].concat())
}

#[tokio::test]
async fn rds_proxy_gets_its_settings_after_the_login() {
    let server = server(ServerOptions::new(15)).await;
    role(&server, "me", PLANTED).await;
    let address = in_between(server.address(), |packet| match without_options(&packet) {
        None => Ok(packet),
        Some(_) => Err(refused(
            "0A000",
            "x",
            "Feature not supported: RDS Proxy currently doesn\u{2019}t support command-line options.",
        )),
    })
    .await;
    let session = session(&toward(address, TlsMode::Disable)).await;
    assert_eq!(session.settings_sent, SettingsSent::AfterLogin);
    let read_only = value(&session, "select current_setting('transaction_read_only')").await;
    assert_eq!(read_only.as_deref(), Some("on"));
    assert_eq!(
        value(&session, "select current_setting('idle_session_timeout')")
            .await
            .as_deref(),
        Some("10min")
    );
    session
        .client
        .batch_execute("create table t (a int)")
        .await
        .expect_err("read-only");
}

#[tokio::test]
async fn a_pooler_that_drops_settings_in_silence_is_found_out() {
    for major in [13, 15] {
        let server = server(ServerOptions::new(major)).await;
        role(&server, "me", PLANTED).await;
        let address = in_between(server.address(), |packet| {
            Ok(without_options(&packet).unwrap_or(packet))
        })
        .await;
        let error = timely_refusal(&toward(address, TlsMode::Disable)).await;
        assert_eq!(*error.cause, Cause::SettingsLost, "{error}");
        assert!(
            error.to_string().contains("connect to the server itself"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn names_that_nobody_knows_are_told() {
    let spec = ConnectSpec::new(
        "no-such-host.invalid",
        5432,
        "postgres",
        with_password("me", PLANTED),
        bundled(TlsMode::VerifyFull),
    );
    let error = refusal(&spec).await;
    assert_eq!(error.cause.code(), "dns", "{error}");
    assert!(
        error
            .to_string()
            .contains("\"no-such-host.invalid\" cannot be looked up: "),
        "{error}"
    );
}
