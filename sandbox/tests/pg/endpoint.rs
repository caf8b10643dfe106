//! `sandbox::proxy`: the address stays, everything else may happen to the connection.

use std::time::{Duration, Instant};

use sandbox::pg::{Server, ServerOptions};
use sandbox::proxy::{Mode, Proxy};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// A service that answers every read with the same bytes.
async fn echo() -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                while let Ok(length @ 1..) = stream.read(&mut buffer).await {
                    if stream.write_all(&buffer[..length]).await.is_err() {
                        break;
                    }
                }
            });
        }
    });
    address
}

async fn ask(stream: &mut TcpStream, word: &[u8]) -> std::io::Result<Vec<u8>> {
    stream.write_all(word).await?;
    let mut answer = vec![0; word.len()];
    stream.read_exact(&mut answer).await?;
    Ok(answer)
}

async fn pair() -> (Proxy, TcpStream) {
    let proxy = Proxy::start(echo().await).await.expect("a port is free");
    let stream = TcpStream::connect(proxy.addr()).await.expect("it is open");
    (proxy, stream)
}

/// For what must not come.
const SOON: Duration = Duration::from_millis(300);

/// For what comes, on a busy machine too.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn bytes_pass_and_are_counted() {
    let (proxy, mut stream) = pair().await;
    for _ in 0..3 {
        assert_eq!(ask(&mut stream, b"hello").await.expect("it passes"), b"hello");
    }
    let counters = proxy.counters();
    assert_eq!((counters.from_clients, counters.from_servers), (15, 15));
    assert_eq!(
        (counters.accepted, counters.open, counters.round_trips),
        (1, 1, 3)
    );
    drop(stream);
    let began = Instant::now();
    while proxy.counters().open > 0 {
        assert!(began.elapsed() < PATIENCE, "an end is passed on");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn latency_is_added_each_way_and_not_for_each_message() {
    let (proxy, mut stream) = pair().await;
    proxy.set_mode(Mode::delayed(Duration::from_millis(100))).await;
    let began = Instant::now();
    for _ in 0..50 {
        stream.write_all(b"x").await.expect("it passes");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let mut answer = [0; 50];
    stream.read_exact(&mut answer).await.expect("it passes");
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(200), "{took:?}");
    assert!(
        took < Duration::from_secs(5),
        "one after the other they take twice as long: {took:?}"
    );
}

#[tokio::test]
async fn a_throttled_connection_is_slow() {
    let (proxy, mut stream) = pair().await;
    proxy
        .set_mode(Mode::Pass {
            latency: Duration::ZERO,
            bytes_per_second: Some(10_000),
        })
        .await;
    let began = Instant::now();
    ask(&mut stream, &[7; 6000]).await.expect("it passes");
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(500) && took < PATIENCE, "{took:?}");
}

#[tokio::test]
async fn a_black_hole_is_silent_and_gives_back_what_it_held() {
    let (proxy, mut old) = pair().await;
    ask(&mut old, b"before").await.expect("it passes");
    proxy.set_mode(Mode::BlackHole).await;
    let mut new = TcpStream::connect(proxy.addr()).await.expect("it is accepted");
    for stream in [&mut old, &mut new] {
        stream.write_all(b"lost?").await.expect("it is taken");
        timeout(SOON, stream.read_u8())
            .await
            .expect_err("nothing comes back");
    }
    proxy.set_mode(Mode::open()).await;
    for stream in [&mut old, &mut new] {
        let mut answer = [0; 5];
        stream.read_exact(&mut answer).await.expect("now it does");
        assert_eq!(&answer, b"lost?");
    }
}

#[tokio::test]
async fn cut_connections_end_with_a_reset_and_new_ones_reach_the_new_target() {
    let (proxy, mut stream) = pair().await;
    ask(&mut stream, b"x").await.expect("it passes");
    let quiet = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    proxy.set_target(quiet.local_addr().expect("it is bound"));
    ask(&mut stream, b"x")
        .await
        .expect("an open connection stays where it is");
    proxy.drop_connections();
    let error = stream.read_u8().await.expect_err("it is cut");
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    let _stream = TcpStream::connect(proxy.addr())
        .await
        .expect("the address is the same");
    timeout(PATIENCE, quiet.accept())
        .await
        .expect("it arrives there")
        .expect("it is accepted");
}

#[tokio::test]
async fn a_refusing_port_is_closed_and_opens_again() {
    let (proxy, mut stream) = pair().await;
    ask(&mut stream, b"x").await.expect("it passes");
    proxy.set_mode(Mode::Refuse).await;
    let error = TcpStream::connect(proxy.addr()).await.expect_err("it is closed");
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
    ask(&mut stream, b"x").await.expect("open connections go on");
    proxy.set_mode(Mode::open()).await;
    let mut stream = TcpStream::connect(proxy.addr()).await.expect("it is open again");
    ask(&mut stream, b"x").await.expect("it passes");
}

#[tokio::test]
async fn a_half_closed_connection_ends_for_the_client_only() {
    let (proxy, mut stream) = pair().await;
    ask(&mut stream, b"x").await.expect("it passes");
    proxy.set_mode(Mode::HalfClosed).await;
    let mut buffer = [0; 1];
    let length = timeout(PATIENCE, stream.read(&mut buffer))
        .await
        .expect("at once")
        .expect("orderly");
    assert_eq!(length, 0, "the server's side has ended");
    let before = proxy.counters().from_servers;
    stream
        .write_all(b"still heard")
        .await
        .expect("the client's has not");
    let began = Instant::now();
    while proxy.counters().from_servers < before + 11 {
        assert!(began.elapsed() < PATIENCE, "the server answers, into the void");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn an_unreachable_target_cuts_the_client() {
    let gone = TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port is free")
        .local_addr()
        .expect("it is bound");
    let proxy = Proxy::start(gone).await.expect("a port is free");
    let mut stream = TcpStream::connect(proxy.addr())
        .await
        .expect("the proxy itself is open");
    timeout(PATIENCE, stream.read_u8())
        .await
        .expect("at once")
        .expect_err("there is nobody behind it");
}

#[tokio::test]
async fn a_postgres_client_follows_the_endpoint_to_another_server() {
    let (blue, green) = tokio::try_join!(
        Server::start(ServerOptions::new(12)),
        Server::start(ServerOptions::new(14))
    )
    .expect("both start");
    let proxy = Proxy::start(blue.address()).await.expect("a port is free");
    let version = async |server: &Server| {
        let (user, password) = server.superuser();
        let (client, connection) = tokio_postgres::Config::new()
            .host("127.0.0.1")
            .port(proxy.addr().port())
            .dbname("postgres")
            .user(user)
            .password(password)
            .connect(tokio_postgres::NoTls)
            .await
            .expect("it connects");
        let driver = tokio::spawn(connection);
        let row = client
            .query_one("show server_version", &[])
            .await
            .expect("it answers");
        driver.abort();
        row.get::<_, String>(0)
    };
    assert_eq!(version(&blue).await, blue.version());
    proxy.set_target(green.address());
    assert_eq!(version(&green).await, green.version());
}
