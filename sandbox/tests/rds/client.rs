//! The smallest client of the API: one POST, the answer as text. No SDK, so that nothing is retried or hidden.

use std::{
    fmt::Write as _,
    io::{Read, Write as _},
    net::TcpStream,
    time::Duration,
};

/// An answer, or none.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Answer {
    /// The texts of all elements of that name, in order.
    pub(crate) fn all(&self, name: &str) -> Vec<String> {
        let (open, close) = (format!("<{name}>"), format!("</{name}>"));
        self.body
            .split(&open)
            .skip(1)
            .filter_map(|rest| rest.split(&close).next())
            .map(str::to_owned)
            .collect()
    }

    /// The first of them.
    pub(crate) fn first(&self, name: &str) -> String {
        self.all(name).into_iter().next().unwrap_or_default()
    }

    /// The answer, which must be a success.
    pub(crate) fn ok(self) -> Self {
        assert_eq!(self.status, 200, "{}", self.body);
        self
    }

    /// Error code and HTTP status.
    pub(crate) fn fault(&self) -> (u16, String) {
        (self.status, self.first("Code"))
    }
}

/// Calls an action; `None` when the connection ended without a byte.
pub(crate) fn call(endpoint: &str, action: &str, fields: &[(&str, &str)]) -> Option<Answer> {
    answer(sent(endpoint, action, fields))
}

/// Sends a call; to drop what this gives is to hang up.
pub(crate) fn sent(endpoint: &str, action: &str, fields: &[(&str, &str)]) -> TcpStream {
    let mut body = format!("Action={action}&Version=2014-10-31");
    for (name, value) in fields {
        write!(body, "&{}={}", escape(name), escape(value)).expect("writing to a string cannot fail");
    }
    let authorization = "AWS4-HMAC-SHA256 Credential=AKIASANDBOXSANDBOX00/20260101/eu-west-1/rds/aws4_request, \
                         SignedHeaders=host, Signature=0";
    post(
        endpoint,
        "/",
        &body,
        "application/x-www-form-urlencoded; charset=utf-8",
        authorization,
    )
}

/// Posts JSON to the sandbox's own endpoint.
pub(crate) fn control(endpoint: &str, path: &str, json: &str) -> Answer {
    let stream = post(endpoint, path, json, "application/json", "none");
    answer(stream).expect("the control endpoint always answers")
}

fn post(endpoint: &str, path: &str, body: &str, content: &str, authorization: &str) -> TcpStream {
    let address = endpoint.strip_prefix("http://").expect("the sandbox speaks http");
    let mut stream = TcpStream::connect(address).expect("the sandbox listens");
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .expect("30 s is a valid timeout");
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: {authorization}\r\nContent-Type: \
         {content}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream
        .write_all((head + body).as_bytes())
        .expect("the request is small enough for the socket");
    stream
}

fn answer(mut stream: TcpStream) -> Option<Answer> {
    let mut bytes = Vec::new();
    // A connection cut on command may end in a reset: what counts is whether a byte came.
    let _ended = stream.read_to_end(&mut bytes);
    if bytes.is_empty() {
        return None;
    }
    let text = String::from_utf8(bytes).expect("answers are UTF-8");
    let (head, body) = text.split_once("\r\n\r\n").expect("an HTTP answer has a head");
    Some(Answer {
        status: head
            .split_whitespace()
            .nth(1)
            .and_then(|status| status.parse().ok())
            .expect("an HTTP answer has a status"),
        body: body.to_owned(),
    })
}

fn escape(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
}
