//! The one thing that needs PostgreSQL's replication protocol: a logical slot together with a snapshot of exactly the
//! moment from which the slot sends changes. `tokio-postgres` does not speak that protocol.
//! <https://www.postgresql.org/docs/current/protocol-replication.html>

use std::io;

use postgres_protocol::authentication::md5_hash;
use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Error, Result, Server, ident};

/// A slot and the snapshot that goes with it. The snapshot can be used until this value is dropped.
#[derive(Debug)]
pub(crate) struct ExportedSlot {
    /// For `SET TRANSACTION SNAPSHOT`.
    pub(crate) snapshot: String,
    _connection: TcpStream,
}

impl ExportedSlot {
    /// Creates a slot for `pgoutput`. Waits for all transactions that were running.
    pub(crate) async fn create(
        server: &Server,
        database: &str,
        user: &str,
        password: &str,
        slot: &str,
    ) -> Result<Self> {
        // The words of 10, which the later ones still know.
        let statement = format!(
            "CREATE_REPLICATION_SLOT {} LOGICAL pgoutput EXPORT_SNAPSHOT",
            ident(slot)
        );
        let failed = |problem: io::Error| Error::Replication {
            database: database.to_owned(),
            statement: statement.clone(),
            problem: problem.to_string(),
        };
        let mut stream = TcpStream::connect(server.address()).await.map_err(failed)?;
        log_in(&mut stream, database, user, password)
            .await
            .map_err(failed)?;
        let row = ask(&mut stream, &statement).await.map_err(failed)?;
        match row.into_iter().nth(2) {
            Some(snapshot) => Ok(Self {
                snapshot,
                _connection: stream,
            }),
            None => Err(failed(io::Error::other("the server named no snapshot"))),
        }
    }
}

async fn log_in(stream: &mut TcpStream, database: &str, user: &str, password: &str) -> io::Result<()> {
    let mut body = 196_608_u32.to_be_bytes().to_vec();
    for text in [
        "user",
        user,
        "database",
        database,
        "replication",
        "database",
        "application_name",
        "sandbox",
        "",
    ] {
        body.extend_from_slice(text.as_bytes());
        body.push(0);
    }
    send(stream, None, &body).await?;
    let mut scram = ScramSha256::new(password.as_bytes(), ChannelBinding::unsupported());
    loop {
        let (kind, body) = receive(stream).await?;
        let (code, rest) = match (kind, body.split_first_chunk::<4>()) {
            (b'R', Some((code, rest))) => (u32::from_be_bytes(*code), rest),
            (b'Z', _) => return Ok(()),
            _ => continue,
        };
        match (code, rest.first_chunk::<4>()) {
            (0, _) => {}
            (5, Some(salt)) => {
                let mut answer = md5_hash(user.as_bytes(), password.as_bytes(), *salt).into_bytes();
                answer.push(0);
                send(stream, Some(b'p'), &answer).await?;
            }
            (10, _) => {
                let first = scram.message();
                let mut answer = SCRAM_SHA_256.as_bytes().to_vec();
                answer.push(0);
                answer.extend_from_slice(&u32::try_from(first.len()).unwrap_or_default().to_be_bytes());
                answer.extend_from_slice(first);
                send(stream, Some(b'p'), &answer).await?;
            }
            (11, _) => {
                scram.update(rest)?;
                send(stream, Some(b'p'), scram.message()).await?;
            }
            (12, _) => scram.finish(rest)?,
            _ => {
                return Err(io::Error::other(format!(
                    "authentication method {code} is not supported"
                )));
            }
        }
    }
}

/// Sends a statement and returns the fields of its last row.
async fn ask(stream: &mut TcpStream, statement: &str) -> io::Result<Vec<String>> {
    let mut body = statement.as_bytes().to_vec();
    body.push(0);
    send(stream, Some(b'Q'), &body).await?;
    let mut row = Vec::new();
    loop {
        match receive(stream).await? {
            (b'D', body) => row = fields(&body).ok_or(io::ErrorKind::InvalidData)?,
            (b'Z', _) => return Ok(row),
            _ => {}
        }
    }
}

fn fields(body: &[u8]) -> Option<Vec<String>> {
    let (count, mut rest) = body.split_first_chunk::<2>()?;
    let mut fields = Vec::new();
    for _ in 0..u16::from_be_bytes(*count) {
        let (length, after) = rest.split_first_chunk::<4>()?;
        // -1 is NULL.
        let length = usize::try_from(i32::from_be_bytes(*length)).unwrap_or(0);
        let (field, after) = after.split_at_checked(length)?;
        fields.push(String::from_utf8_lossy(field).into_owned());
        rest = after;
    }
    Some(fields)
}

async fn send(stream: &mut TcpStream, kind: Option<u8>, body: &[u8]) -> io::Result<()> {
    let mut message: Vec<u8> = kind.into_iter().collect();
    let length = u32::try_from(body.len() + 4).map_err(io::Error::other)?;
    message.extend_from_slice(&length.to_be_bytes());
    message.extend_from_slice(body);
    stream.write_all(&message).await
}

/// The next message that is not an error; an error ends the conversation with the server's words.
async fn receive(stream: &mut TcpStream) -> io::Result<(u8, Vec<u8>)> {
    let kind = stream.read_u8().await?;
    let length = usize::try_from(stream.read_u32().await?).map_err(io::Error::other)?;
    let mut body = vec![0; length.saturating_sub(4)];
    stream.read_exact(&mut body).await?;
    if kind != b'E' {
        return Ok((kind, body));
    }
    let part = |code: u8| {
        body.split(|byte| *byte == 0)
            .find_map(|field| field.strip_prefix(&[code]))
            .map(|text| String::from_utf8_lossy(text).into_owned())
            .unwrap_or_default()
    };
    Err(io::Error::other(format!("{} ({})", part(b'M'), part(b'C'))))
}
