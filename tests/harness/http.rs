//! Calls over HTTP by a real client, and what came back.

use std::net::SocketAddr;
use std::sync::OnceLock;
use std::time::Duration;

use bytes::Bytes;
use reqwest::Client;
use reqwest::header::HeaderMap;
use reqwest::redirect::Policy;
use serde_json::Value;
use tokio::runtime::Runtime;

use super::broker::Broker;

/// One runtime for all tests of a process: a connection lives on the runtime that opened it,
/// so a runtime for each test would close connections that another test takes from the pool.
fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime")
    })
}

fn client() -> &'static Client {
    static CLIENT: OnceLock<Client> = OnceLock::new();
    CLIENT.get_or_init(|| {
        Client::builder()
            .no_proxy()
            .redirect(Policy::none())
            // No certificate is ever looked at, so none needs to be on the machine.
            .tls_certs_only(std::iter::empty())
            .timeout(Duration::from_secs(30))
            .build()
            .expect("a client")
    })
}

/// A call that is being put together.
#[derive(Debug)]
pub struct Call {
    address: SocketAddr,
    method: String,
    path: String,
    query: Vec<(String, String)>,
    headers: Vec<(String, String)>,
    body: Option<Bytes>,
}

impl Broker {
    /// Starts to put together a call on the public face.
    #[must_use]
    pub fn call(&self, method: &str, path: &str) -> Call {
        Call {
            address: self.public(),
            method: method.to_owned(),
            path: path.to_owned(),
            query: Vec::new(),
            headers: Vec::new(),
            body: None,
        }
    }

    /// Gets a page of the operator's face; `None` when nobody answers.
    #[must_use]
    pub fn admin_get(&self, path: &str) -> Option<Answer> {
        let mut call = self.call("GET", path);
        call.address = self.admin();
        call.try_send().ok()
    }
}

impl Call {
    /// Adds a pair to the query.
    #[must_use]
    pub fn query(mut self, name: &str, value: &str) -> Self {
        self.query.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Addresses a provider in the query.
    #[must_use]
    pub fn to(self, project: &str, strategy: &str, provider: &str) -> Self {
        self.query("projectId", project).query("strategy", strategy).query("provider", provider)
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets a JSON body, with its content type.
    #[must_use]
    pub fn json(self, body: &Value) -> Self {
        self.text(&body.to_string())
    }

    /// Sets a body that is sent as JSON to the letter.
    #[must_use]
    pub fn text(self, body: &str) -> Self {
        self.header("content-type", "application/json").bytes(body.as_bytes().to_vec())
    }

    /// Sets a body without a content type.
    #[must_use]
    pub fn bytes(mut self, body: impl Into<Bytes>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// Sends it.
    #[must_use]
    pub fn send(self) -> Answer {
        let what = format!("{} {}", self.method, self.path);
        self.try_send().unwrap_or_else(|error| panic!("{what} got no answer: {error:?}"))
    }

    /// Sends it to a broker that may be gone.
    ///
    /// # Errors
    /// When no whole answer came.
    pub fn try_send(self) -> Result<Answer, reqwest::Error> {
        let method = self.method.parse().expect("a method");
        let url = format!("http://{}{}", self.address, self.path);
        let mut request = client().request(method, url).query(&self.query);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        if let Some(body) = self.body {
            request = request.body(body);
        }
        runtime().block_on(async {
            let response = request.send().await?;
            Ok(Answer {
                status: response.status().as_u16(),
                headers: response.headers().clone(),
                body: response.bytes().await?,
            })
        })
    }
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Answer {
    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|_| panic!("{} and no JSON: {}", self.status, self.text()))
    }

    /// A header that is there once at most.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        assert!(self.headers.get_all(name).iter().count() <= 1, "{name} twice");
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// A text of the body by its JSON pointer.
    #[must_use]
    pub fn at(&self, pointer: &str) -> String {
        match self.json().pointer(pointer) {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => panic!("no {pointer} in {} {}", self.status, self.text()),
        }
    }

    /// Asserts a status.
    #[track_caller]
    pub fn expect(&self, status: u16) -> &Self {
        assert_eq!(self.status, status, "{}", self.text());
        self
    }

    /// Asserts a failure: status and code, in our envelope.
    #[track_caller]
    pub fn refused(&self, status: u16, code: &str) -> &Self {
        let body = self.text();
        assert_eq!(self.status, status, "{body}");
        self.assert_envelope();
        assert_eq!(self.at("/error/code"), code, "{body}");
        self
    }

    /// Asserts that a field was refused.
    #[track_caller]
    pub fn refused_field(&self, field: &str) -> &Self {
        self.refused(400, "invalid_field");
        assert_eq!(self.at("/error/details/field"), field, "{}", self.text());
        assert!(!self.at("/error/details/reason").is_empty());
        self
    }

    /// Asserts the form that every failure has, and that it is no fault of the broker.
    #[track_caller]
    pub fn assert_envelope(&self) {
        let text = self.text();
        // No client can cause a failure of the server; 501 says what a provider does not offer.
        assert!(self.status < 500 || self.status == 501, "{text}");
        if self.status < 400 {
            return;
        }
        let body = self.json();
        assert_eq!(body["result"], 0, "{text}");
        assert_eq!(body["data"], serde_json::json!({}), "{text}");
        assert!(body["message"].as_str().is_some_and(|m| !m.is_empty()), "{text}");
        let error = &body["error"];
        assert!(error["code"].as_str().is_some_and(|c| !c.is_empty()), "{text}");
        assert!(error["retryable"].is_boolean(), "{text}");
        let actor = error["actor"].as_str().unwrap_or_default();
        assert!(["player", "developer", "operator", "upstream"].contains(&actor), "{text}");
        assert_eq!(error["requestId"].as_str(), self.header("x-request-id"), "{text}");
    }

    /// The body without what differs between two equal answers.
    #[must_use]
    pub fn comparable(&self) -> (u16, Value) {
        let mut body = self.json();
        if let Some(error) = body.get_mut("error").and_then(Value::as_object_mut) {
            error.remove("requestId");
        }
        (self.status, body)
    }
}
