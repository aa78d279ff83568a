//! An upstream that follows a script.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Method, Request, Response};
use vestibule_core::ports::HttpClient;
use vestibule_core::{Error, ErrorKind, Result};

/// What the upstream does with one request.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Reply {
    /// Answers.
    Answer {
        /// The status; one that does not exist is answered as a fault.
        status: u16,
        /// The headers.
        headers: Vec<(String, String)>,
        /// The body.
        body: Bytes,
    },
    /// Does not answer in time.
    Timeout,
    /// Cannot be reached.
    Unavailable,
    /// Answers 200 and a body that is neither text nor JSON.
    Garbage,
}

impl Reply {
    /// Answers JSON.
    #[must_use]
    pub fn json(status: u16, body: &serde_json::Value) -> Self {
        Self::Answer {
            status,
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            body: Bytes::from(body.to_string()),
        }
    }

    /// Answers a status and nothing else.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self::Answer { status, headers: Vec::new(), body: Bytes::new() }
    }
}

/// An [`HttpClient`] that reaches nothing and answers what the test wrote down.
///
/// ```
/// use http::Method;
/// use vestibule_testkit::{FakeHttp, Reply};
///
/// let http = FakeHttp::new()
///     .on(Method::POST, "/oauth/token", Reply::Timeout)
///     .on(Method::POST, "/oauth/token", Reply::status(503));
/// assert!(http.requests().is_empty());
/// ```
#[derive(Default)]
pub struct FakeHttp {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    script: Vec<Route>,
    requests: Vec<Request<Bytes>>,
}

struct Route {
    method: Method,
    path_end: String,
    replies: VecDeque<Reply>,
}

impl FakeHttp {
    /// An upstream that cannot be reached, until it is told otherwise.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes down the next reply to requests of a method whose path ends so. Replies to the
    /// same are given in turn, and the last one again and again.
    #[must_use]
    pub fn on(self, method: Method, path_end: &str, reply: Reply) -> Self {
        self.then(method, path_end, reply);
        self
    }

    /// As [`FakeHttp::on`], while it is in use.
    pub fn then(&self, method: Method, path_end: &str, reply: Reply) {
        let mut state = self.state();
        let known = state
            .script
            .iter_mut()
            .find(|route| route.method == method && route.path_end == path_end);
        match known {
            Some(route) => route.replies.push_back(reply),
            None => state.script.push(Route {
                method,
                path_end: path_end.to_owned(),
                replies: VecDeque::from([reply]),
            }),
        }
    }

    /// Every request so far, in order.
    #[must_use]
    pub fn requests(&self) -> Vec<Request<Bytes>> {
        self.state().requests.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records the request and takes the reply to it.
    fn reply(&self, request: Request<Bytes>) -> Option<Reply> {
        let mut state = self.state();
        let route = state.script.iter_mut().find(|route| {
            route.method == *request.method() && request.uri().path().ends_with(&route.path_end)
        });
        let reply = route.and_then(|route| match route.replies.len() {
            0 | 1 => route.replies.front().cloned(),
            _ => route.replies.pop_front(),
        });
        state.requests.push(request);
        reply
    }
}

impl fmt::Debug for FakeHttp {
    /// Requests hold secrets: only their number is shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FakeHttp({} requests)", self.state().requests.len())
    }
}

#[async_trait]
impl HttpClient for FakeHttp {
    async fn send(&self, request: Request<Bytes>, _within: Duration) -> Result<Response<Bytes>> {
        let place = format!("{} {}", request.method(), request.uri().path());
        let fault = |kind| Error::new(kind).step("fake_http");
        match self.reply(request) {
            Some(Reply::Answer { status, headers, body }) => {
                let mut response = Response::builder().status(status);
                for (name, value) in headers {
                    response = response.header(name, value);
                }
                response.body(body).map_err(|error| fault(ErrorKind::UpstreamInvalid).source(error))
            }
            Some(Reply::Garbage) => Ok(Response::new(Bytes::from_static(b"\xff\xfe{]\0"))),
            Some(Reply::Timeout) => Err(fault(ErrorKind::UpstreamTimeout)),
            Some(Reply::Unavailable) => Err(fault(ErrorKind::UpstreamUnavailable)),
            None => Err(fault(ErrorKind::UpstreamUnavailable)
                .context("reason", format!("the script has no reply to {place}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(path: &str) -> Request<Bytes> {
        Request::get(format!("https://idp.example{path}")).body(Bytes::new()).unwrap()
    }

    #[tokio::test]
    async fn replies_come_in_turn_and_the_last_one_stays() {
        let http = FakeHttp::new().on(Method::GET, "/me", Reply::Timeout).on(
            Method::GET,
            "/me",
            Reply::status(204),
        );
        let within = Duration::from_secs(1);
        let error = http.send(get("/v1/me"), within).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UpstreamTimeout);
        for _ in 0..2 {
            assert_eq!(http.send(get("/v1/me"), within).await.unwrap().status(), 204);
        }
        assert_eq!(http.requests().len(), 3);
    }

    #[tokio::test]
    async fn what_the_script_does_not_name_is_unavailable() {
        let error = FakeHttp::new().send(get("/x"), Duration::ZERO).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UpstreamUnavailable);
    }
}
