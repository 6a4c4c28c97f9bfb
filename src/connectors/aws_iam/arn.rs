//! Amazon Resource Names.

/// The parts of `arn:partition:service:region:account:rest`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Arn<'a> {
    pub(super) partition: &'a str,
    pub(super) service: &'a str,
    pub(super) account: &'a str,
    pub(super) rest: &'a str,
}

impl<'a> Arn<'a> {
    /// Splits an ARN; `None` where `text` is none.
    pub(super) fn of(text: &'a str) -> Option<Self> {
        let mut parts = text.splitn(6, ':');
        let (first, partition, service) = (parts.next()?, parts.next()?, parts.next()?);
        let (_region, account, rest) = (parts.next()?, parts.next()?, parts.next()?);
        (first == "arn" && !partition.is_empty() && !service.is_empty() && !rest.is_empty()).then_some(Self {
            partition,
            service,
            account,
            rest,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_an_arn() {
        let arn = Arn::of("arn:aws-cn:iam::123456789012:user/a/b:c").unwrap();
        assert_eq!((arn.partition, arn.service, arn.account, arn.rest), ("aws-cn", "iam", "123456789012", "user/a/b:c"));
        for none in ["", "arn", "arn:aws:iam::1:", "urn:aws:iam::1:x", "arn::iam::1:x", "arn:aws:iam:1"] {
            assert_eq!(Arn::of(none), None, "{none}");
        }
    }
}
