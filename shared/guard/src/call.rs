use std::{sync::Arc, time::Instant};

tokio::task_local! {
    /// The call that is being served; set by the access layer, read by the codec.
    pub static CALL: Call;
}

/// How a method treats its caller; the `kind` of the access option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Read,
    Write,
    Reveal,
}

/// Who calls: from the token, from the client certificate, or both.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Principal {
    /// Subject of the token, or `service:hall` for a service that acts by itself.
    pub subject: String,
    /// Numbers of `hearth.options.v1.Role`.
    pub roles: Vec<i32>,
    /// Name of the service that the client certificate proves.
    pub service: Option<String>,
    /// Branch (营业所) that the caller is bound to; head office has none.
    pub branch: Option<String>,
    /// Vendor that the caller is bound to.
    pub vendor: Option<String>,
    /// Party that the caller is bound to, for customers.
    pub customer: Option<String>,
}

#[derive(Debug)]
struct Inner {
    method: String,
    kind: Kind,
    principal: Principal,
    purpose: Option<String>,
    traceparent: Option<String>,
    token: Option<String>,
    deadline: Option<Instant>,
}

/// One call: who, which method, until when, and what has to be passed on. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Call(Arc<Inner>);

impl Call {
    /// `method` is `hearth.vendor.v1.OfferService/AcceptOffer`.
    pub fn new(method: impl Into<String>, kind: Kind, principal: Principal) -> Self {
        Self(Arc::new(Inner {
            method: method.into(),
            kind,
            principal,
            purpose: None,
            traceparent: None,
            token: None,
            deadline: None,
        }))
    }

    /// Work that no caller waits for: a saga step, a job, a consumer of events.
    pub fn background(service: &str, work: &str) -> Self {
        let principal = Principal {
            subject: format!("service:{service}"),
            service: Some(service.to_owned()),
            ..Principal::default()
        };
        Self::new(format!("{service}/{work}"), Kind::Write, principal)
    }

    /// What the service asks in its own name while it serves this call: its user's rights do not matter to it.
    #[must_use]
    pub fn in_own_name(&self, work: &str) -> Self {
        Self::background(self.service(), work).with(None, self.traceparent().map(str::to_owned), None, self.deadline())
    }

    /// Adds what came along with the request.
    pub fn with(self, purpose: Option<String>, traceparent: Option<String>, token: Option<String>, deadline: Option<Instant>) -> Self {
        let Inner { method, kind, principal, .. } = &*self.0;
        let (method, kind, principal) = (method.clone(), *kind, principal.clone());
        Self(Arc::new(Inner {
            method,
            kind,
            principal,
            purpose,
            traceparent,
            token,
            deadline,
        }))
    }

    pub fn method(&self) -> &str {
        &self.0.method
    }
    /// Name of the service in whose contract the method stands.
    pub fn service(&self) -> &str {
        let method = self.method().strip_prefix("hearth.").unwrap_or(self.method());
        method.split(['.', '/']).next().unwrap_or_default()
    }
    pub fn kind(&self) -> Kind {
        self.0.kind
    }
    pub fn principal(&self) -> &Principal {
        &self.0.principal
    }
    /// Who is responsible: a person, or a service that acts by itself.
    pub fn subject(&self) -> &str {
        &self.0.principal.subject
    }
    pub fn has(&self, role: impl Into<i32>) -> bool {
        let role = role.into();
        self.0.principal.roles.contains(&role)
    }
    pub fn branch(&self) -> Option<&str> {
        self.0.principal.branch.as_deref()
    }
    pub fn vendor(&self) -> Option<&str> {
        self.0.principal.vendor.as_deref()
    }
    pub fn customer(&self) -> Option<&str> {
        self.0.principal.customer.as_deref()
    }
    /// Why personal data is asked for, where the caller sent it as metadata.
    pub fn purpose(&self) -> Option<&str> {
        self.0.purpose.as_deref()
    }
    pub fn traceparent(&self) -> Option<&str> {
        self.0.traceparent.as_deref()
    }
    /// The caller's token, to be relayed to the next service.
    pub fn token(&self) -> Option<&str> {
        self.0.token.as_deref()
    }
    pub fn deadline(&self) -> Option<Instant> {
        self.0.deadline
    }
}
