//! The Kubernetes API over one kept connection per kubeconfig and context. Never from ambient configuration: the file is always named.
//!
//! Without the feature `kube` every request says so.

use ops_core::call::Target;

use super::world::{KubeReply, KubeRequest, ToolFailure};

const API: &str = "the Kubernetes API";

/// The connections that are kept.
#[derive(Default)]
pub struct KubeClients {
    #[cfg(feature = "kube")]
    kept: std::cell::RefCell<std::collections::BTreeMap<(String, String), kube::Client>>,
}

impl KubeClients {
    /// Asks the API server that the target's kubeconfig and context name.
    ///
    /// # Errors
    /// `Start` where nothing was sent, `Lost` where no answer came; a refusal by the server is a reply.
    #[cfg(feature = "kube")]
    pub async fn ask(
        &self,
        target: &Target,
        request: &KubeRequest,
    ) -> Result<KubeReply, ToolFailure> {
        use kube::core::params::ListParams;
        use serde_json::Value;
        let client = self.client(target).await?;
        // Built from one of kube's own requests, as the `http` types behind it have no name here.
        let mut http =
            kube::core::Request::new("/").list(&ListParams::default()).map_err(unsendable)?;
        *http.method_mut() = request.method.parse().map_err(unsendable)?;
        *http.uri_mut() = request.path.parse().map_err(unsendable)?;
        if let Some(body) = &request.body {
            let kind = match (request.method.as_str(), body) {
                ("PATCH", Value::Array(_)) => "application/json-patch+json",
                ("PATCH", _) => "application/merge-patch+json",
                _ => "application/json",
            };
            http.headers_mut().insert("content-type", kind.parse().map_err(unsendable)?);
            *http.body_mut() = body.to_string().into_bytes();
        }
        connected::reply(client.request_text(http).await)
    }

    /// Says that this build cannot.
    ///
    /// # Errors
    /// Always `Start`.
    #[cfg(not(feature = "kube"))]
    #[expect(clippy::unused_async, reason = "the same shape as with the feature")]
    pub async fn ask(&self, _: &Target, _: &KubeRequest) -> Result<KubeReply, ToolFailure> {
        let message =
            "this build of ops has no Kubernetes client; build it with the feature `kube`";
        Err(ToolFailure::Start { tool: API.into(), message: message.into() })
    }

    #[cfg(feature = "kube")]
    async fn client(&self, target: &Target) -> Result<kube::Client, ToolFailure> {
        use kube::config::{Config, KubeConfigOptions, Kubeconfig};
        let key = (target.kubeconfig.clone(), target.context.clone());
        if let Some(client) = self.kept.borrow().get(&key) {
            return Ok(client.clone());
        }
        let refused = |error: &dyn std::fmt::Display| ToolFailure::Start {
            tool: API.into(),
            message: format!("context `{}` of {}: {error}", target.context, target.kubeconfig),
        };
        let file = Kubeconfig::read_from(&target.kubeconfig).map_err(|e| refused(&e))?;
        let options =
            KubeConfigOptions { context: Some(target.context.clone()), ..Default::default() };
        let config =
            Config::from_custom_kubeconfig(file, &options).await.map_err(|e| refused(&e))?;
        let client = kube::Client::try_from(config).map_err(|e| refused(&e))?;
        self.kept.borrow_mut().insert(key, client.clone());
        Ok(client)
    }
}

#[cfg(feature = "kube")]
fn unsendable(error: impl std::fmt::Display) -> ToolFailure {
    ToolFailure::Start { tool: API.into(), message: error.to_string() }
}

#[cfg(feature = "kube")]
mod connected {
    use serde_json::Value;

    use super::{API, KubeReply, ToolFailure};

    pub(super) fn reply(sent: Result<String, kube::Error>) -> Result<KubeReply, ToolFailure> {
        match sent {
            Ok(text) if text.is_empty() => Ok(KubeReply { status: 200, body: Value::Null }),
            Ok(text) => match serde_json::from_str(&text) {
                Ok(body) => Ok(KubeReply { status: 200, body }),
                Err(_) => Ok(KubeReply { status: 200, body: Value::String(text) }),
            },
            Err(kube::Error::Api(status)) => {
                let body = serde_json::to_value(&status).unwrap_or_default();
                Ok(KubeReply { status: status.code, body })
            }
            Err(error) => {
                let (tool, message) = (API.to_owned(), chain(&error));
                // Only a connection that was never made proves that nothing was sent.
                if message.contains("(Connect)") {
                    Err(ToolFailure::Start { tool, message })
                } else {
                    Err(ToolFailure::Lost { tool, message })
                }
            }
        }
    }

    /// An error with its causes: the outermost alone says `ServiceError`.
    fn chain(error: &dyn std::error::Error) -> String {
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(inner) = cause {
            let more = inner.to_string();
            if !text.contains(&more) {
                text = format!("{text}: {more}");
            }
            cause = inner.source();
        }
        text
    }
}
