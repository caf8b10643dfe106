//! Whoever answers without an end, and files that have none: a message that says so, in bounded memory.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::Path,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use aws_config::retry::RetryConfig;
use aws_sdk_rds::config::{Credentials, SharedCredentialsProvider};
use greenlight::edge::{
    aws::{self, AwsSettings},
    env::Env,
    rds::{RdsRequest, Subject, collect},
};
use sandbox::pg::block_on;

use crate::support::{AWS, stub};

/// Address space of a run, in KiB. A look that kept all it was sent would be killed by it.
const MEMORY: &str = "2000000";

/// Runs the binary with bounded memory; gives its exit code and all that it said, in one line.
fn bounded(here: &Path, args: &[&str], env: &[(&str, &str)]) -> (Option<i32>, String) {
    let output = Command::new("/bin/sh")
        .args(["-c", "ulimit -v $0 && exec \"$@\"", MEMORY])
        .arg(env!("CARGO_BIN_EXE_greenlight"))
        .args(args)
        .current_dir(here)
        .env_clear()
        .envs(env.iter().copied())
        .output()
        .expect("it runs");
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    (
        output.status.code(),
        said.concat().split_whitespace().collect::<Vec<_>>().join(" "),
    )
}

/// A message of PostgreSQL's protocol.
pub(crate) fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).expect("short");
    [&[kind][..], &length.to_be_bytes(), body].concat()
}

/// Logs anybody in.
fn greet(stream: &mut TcpStream) -> std::io::Result<()> {
    let mut startup = [0; 4096];
    let _startup = stream.read(&mut startup)?;
    stream.write_all(&hello())
}

/// What a server says that lets in without a password.
pub(crate) fn hello() -> Vec<u8> {
    let mut hello = message(b'R', &[0; 4]);
    for parameter in ["server_version\x0015.1\0", "default_transaction_read_only\0on\0"] {
        hello.extend(message(b'S', parameter.as_bytes()));
    }
    hello.extend(message(b'K', &[0; 8]));
    hello.extend(message(b'Z', b"I"));
    hello
}

/// A column of the type text, as an answer describes it.
fn column() -> Vec<u8> {
    [
        b"c\0".as_slice(),
        &[0; 6],
        &25_u32.to_be_bytes(),
        &[0xff; 2],
        &[0xff; 4],
        &[0; 2],
    ]
    .concat()
}

/// What comes before the rows of an answer of one column.
pub(crate) fn before_rows() -> Vec<u8> {
    let columns = [b"\0\x01".as_slice(), &column()].concat();
    [message(b'1', b""), message(b'2', b""), message(b'T', &columns)].concat()
}

/// Sends this for as long as somebody takes it.
fn endless(mut stream: TcpStream, first: &[u8], again: &[u8]) {
    if stream.write_all(first).is_ok() {
        while stream.write_all(again).is_ok() {}
    }
}

/// Logs anybody in, takes every setting, and answers the first question so.
fn after_login(first: Vec<u8>, again: Vec<u8>) -> SocketAddr {
    stub(move |mut stream| {
        if greet(&mut stream).is_ok() && settled(&mut stream).is_ok() {
            endless(stream, &first, &again);
        }
    })
}

/// Answers simple statements as a server does that takes them all, up to the first question.
fn settled(stream: &mut TcpStream) -> std::io::Result<()> {
    loop {
        let mut header = [0; 5];
        stream.read_exact(&mut header)?;
        let [kind, a, b, c, d] = header;
        if kind != b'Q' {
            return Ok(());
        }
        let mut sql = vec![0; u32::from_be_bytes([a, b, c, d]) as usize - 4];
        stream.read_exact(&mut sql)?;
        let mut answer = Vec::new();
        if sql.starts_with(b"select") {
            let columns = [b"\0\x02".as_slice(), &column(), &column()].concat();
            answer.extend(message(b'T', &columns));
            answer.extend(message(b'D', b"\0\x02\0\0\0\x02on\0\0\0\x0apg_catalog"));
        }
        answer.extend(message(b'C', b"SET\0"));
        answer.extend(message(b'Z', b"I"));
        stream.write_all(&answer)?;
    }
}

#[test]
fn an_endless_answer_of_a_database_ends_in_bounded_memory() {
    let here = tempfile::tempdir().expect("a folder");
    let row = |size: u32| {
        let mut body = b"\0\x01".to_vec();
        body.extend(size.to_be_bytes());
        body.resize(body.len() + size as usize, b' ');
        message(b'D', &body)
    };
    // The header of a message of 2 GiB, and its body without end.
    let announced = [before_rows(), b"D\x7f\xff\xff\xff".to_vec()].concat();
    let notice = message(
        b'N',
        format!("SNOTICE\0C00000\0M{}\0\0", "x".repeat(60_000)).as_bytes(),
    );
    let during_login = stub({
        let parameter = message(b'S', format!("{}\0on\0", "x".repeat(60_000)).as_bytes());
        move |mut stream| {
            let mut startup = [0; 4096];
            if stream.read(&mut startup).is_ok_and(|n| n > 0) {
                endless(stream, &message(b'R', &[0; 4]), &parameter);
            }
        }
    });
    for (name, address, code) in [
        ("rows", after_login(before_rows(), row(1 << 16)), 11),
        ("one row", after_login(announced, vec![b' '; 1 << 16]), 11),
        ("notices", after_login(Vec::new(), notice), 11),
        ("the login", during_login, 3),
    ] {
        let url = format!("postgres://me@{address}/app?sslmode=disable");
        let args = ["check", "--blue-url", &url, "--target-version", "17"];
        let (ended, said) = bounded(here.path(), &args, &[("PGPASSWORD", "x")]);
        assert_eq!(ended, Some(code), "{name}: {said}");
        assert!(
            said.contains("the server's answer is longer than 128 MiB"),
            "{name}: {said}"
        );
    }
}

/// Reads one request; requests to RDS are short.
fn asked(stream: &mut TcpStream) -> Option<String> {
    let mut request = [0; 8192];
    match stream.read(&mut request) {
        Ok(n @ 1..) => Some(String::from_utf8_lossy(&request[..n]).into_owned()),
        _ => None,
    }
}

#[test]
fn an_endless_answer_of_an_api_ends_in_bounded_memory() {
    let api = stub(|mut stream| {
        if asked(&mut stream).is_some() {
            let head =
                b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n<DescribeDBClustersResponse><x>";
            endless(stream, head, &[b'x'; 1 << 16]);
        }
    });
    let settings = AwsSettings {
        region: Some("eu-west-1".to_owned()),
        endpoint_url: Some(format!("http://{api}")),
        ..AwsSettings::default()
    };
    let request = RdsRequest {
        subject: Subject::Cluster("main".to_owned()),
        target_version: None,
        target_parameter_group: None,
        endpoint_url: None,
    };
    let error = block_on(async {
        let config = aws::load(&settings, &Env::empty()).await.expect("loaded");
        // As the binary asks, but once: it would try a few times over.
        let once = config
            .into_builder()
            .retry_config(RetryConfig::disabled())
            .credentials_provider(SharedCredentialsProvider::new(Credentials::new(
                "AKIASANDBOXSANDBOX00",
                "opens-nothing",
                None,
                None,
                "test",
            )));
        collect(&once.build(), &request).await.expect_err("endless")
    });
    let error = error.to_string();
    assert!(error.contains("the answer is longer than 16 MiB"), "{error}");
}

/// Answers each question with an empty page and the marker of another.
fn pages(marker: fn(usize) -> usize) -> String {
    // Counted over all connections, since the client may come back on another.
    let count = Arc::new(AtomicUsize::new(0));
    let api = stub(move |mut stream| {
        while asked(&mut stream).is_some() {
            let n = count.fetch_add(1, Ordering::Relaxed);
            let body = format!(
                "<DescribeDBClustersResponse><DescribeDBClustersResult><DBClusters/><Marker>{}</Marker>\
                 </DescribeDBClustersResult></DescribeDBClustersResponse>",
                marker(n)
            );
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
            if stream.write_all(format!("{head}{body}").as_bytes()).is_err() {
                return;
            }
        }
    });
    format!("http://{api}")
}

#[test]
fn pages_without_an_end_are_told() {
    let here = tempfile::tempdir().expect("a folder");
    for (name, endpoint, says) in [
        ("the same", pages(|_| 7), "the same page again and again"),
        ("in a circle", pages(|n| n % 3), "the same page again and again"),
        ("ever new", pages(|n| n), "more than 1000 pages, without an end"),
    ] {
        let check = ["check", "--cluster", "main", "--endpoint-url", &endpoint];
        let (code, said) = bounded(here.path(), &check, &AWS);
        assert_eq!(code, Some(3), "{name}: {said}");
        assert!(said.contains(says), "{name}: {said}");
    }
}

#[test]
fn files_without_an_end_are_told() {
    let here = tempfile::tempdir().expect("a folder");
    let facts = include_str!("../facts/report-aurora.json");
    std::fs::write(here.path().join("facts.json"), facts).expect("written");
    let url = "postgres://me@127.0.0.1:1/app";
    let no_end = "/dev/zero";
    let service = [("PGSERVICEFILE", no_end)];
    for (args, env) in [
        (vec!["check", "--facts", no_end], &[][..]),
        (vec!["check", "--facts", "facts.json", "--config", no_end], &[]),
        (vec!["check", "--facts", "facts.json", "--baseline", no_end], &[]),
        (vec!["drift", "--facts", "facts.json", "--template", no_end], &[]),
        (vec!["diff", no_end, "facts.json"], &[]),
        (vec!["report", "--journal", no_end], &[]),
        (vec!["check", "--blue-url", url, "--tls-ca", no_end], &[]),
        (vec!["check", "--blue-url", "service=it"], &service),
    ] {
        let (code, said) = bounded(here.path(), &args, env);
        assert_eq!(code, Some(2), "{args:?}: {said}");
        assert!(said.contains("it is longer than"), "{args:?}: {said}");
    }
}
