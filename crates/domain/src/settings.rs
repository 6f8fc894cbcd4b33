//! Rules for the settings of a deployment, most of which compare two settings.
//!
//! A *setting* is a parameter of the CloudFormation template. The template can limit the range of
//! one parameter but cannot compare two parameters. When a Lambda function starts, it checks the
//! [`RULES`] for the settings that it reads. `cargo xtask check` applies all rules to the
//! template's defaults and to each environment of `samconfig.toml`.

/// Number of bytes in a mebibyte.
const MIB: u64 = 1024 * 1024;
/// Minimum time in which an invocation can send something, in seconds.
const MIN_SENDING_SECONDS: u64 = 4;
/// Memory that the upload function needs in addition to its read-ahead buffer, in bytes.
const UPLOAD_BASE_MEMORY_BYTES: u64 = 64 * MIB;
/// Unit of fragment lengths, in bytes. OneDrive accepts only multiples of it.
const FRAGMENT_UNIT_BYTES: u64 = 327_680;

/// Function that returns the value of a setting. Its argument is the name of the setting.
pub type Values<'a> = dyn Fn(&str) -> u64 + 'a;

/// A rule for one or more settings.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// Names of the settings whose values the rule needs.
    pub settings: &'static [&'static str],
    /// Returns whether the values satisfy the rule. Each value has the unit in which it is
    /// configured.
    pub holds: fn(&Values<'_>) -> bool,
    /// The rule and its reason in words. It is shown when the rule is broken.
    pub text: &'static str,
}

/// Rules whose violation would lose documents, records or bytes. A function that reads the settings
/// of a broken rule does not start.
pub const RULES: [Rule; 7] = [
    Rule {
        settings: &["RecordTtlHours", "JobTtlHours", "TransferDeadlineSeconds"],
        holds: |value| {
            seconds_of_hours(value("RecordTtlHours"))
                >= seconds_of_hours(value("JobTtlHours"))
                    .saturating_add(value("TransferDeadlineSeconds"))
        },
        text: "RecordTtlHours must be at least JobTtlHours and TransferDeadlineSeconds together: \
               a record must outlive its job and the longest run",
    },
    Rule {
        settings: &["ArrivalDeadlineSeconds", "TransferDeadlineSeconds"],
        holds: |value| value("ArrivalDeadlineSeconds") < value("TransferDeadlineSeconds"),
        text: "ArrivalDeadlineSeconds must be less than TransferDeadlineSeconds: a document that \
               never arrives must be reported as such",
    },
    Rule {
        settings: &["ArrivalDeadlineSeconds", "DeadlineBaseSeconds"],
        holds: |value| value("ArrivalDeadlineSeconds") < value("DeadlineBaseSeconds"),
        text: "ArrivalDeadlineSeconds must be less than DeadlineBaseSeconds: time must be left to \
               send a document that arrives late",
    },
    Rule {
        settings: &["FileIdMin", "FileIdMax"],
        holds: |value| value("FileIdMin") <= value("FileIdMax"),
        text: "FileIdMin must not be greater than FileIdMax: no document could be asked for",
    },
    Rule {
        settings: &["UploadTimeoutSeconds", "UploadDeadlineMarginSeconds"],
        holds: |value| {
            value("UploadTimeoutSeconds")
                >= value("UploadDeadlineMarginSeconds").saturating_add(MIN_SENDING_SECONDS)
        },
        text: "UploadTimeoutSeconds must be at least 4 s more than UploadDeadlineMarginSeconds: \
               an invocation would hand over before it sends anything",
    },
    Rule {
        settings: &["UploadMemoryMegabytes", "UploadReadAheadBytes"],
        holds: |value| {
            value("UploadMemoryMegabytes").saturating_mul(MIB)
                >= value("UploadReadAheadBytes").saturating_add(UPLOAD_BASE_MEMORY_BYTES)
        },
        text: "UploadMemoryMegabytes must be at least 64 MiB more than UploadReadAheadBytes: the \
               process would run out of memory",
    },
    Rule {
        settings: &["UploadFragmentBytes"],
        holds: |value| value("UploadFragmentBytes").is_multiple_of(FRAGMENT_UNIT_BYTES),
        text: "UploadFragmentBytes must be a multiple of 327680: OneDrive refuses other fragments",
    },
];

/// Rules whose violation makes a setting useless or causes failures, but loses nothing. Only
/// `cargo xtask check` checks them, before a deployment.
pub const DEPLOYMENT_RULES: [Rule; 7] = [
    Rule {
        settings: &["DeadlineBaseSeconds", "TransferDeadlineSeconds"],
        holds: |value| value("DeadlineBaseSeconds") <= value("TransferDeadlineSeconds"),
        text: "DeadlineBaseSeconds must not be greater than TransferDeadlineSeconds, which bounds \
               it",
    },
    Rule {
        settings: &["OrdsTicketLifetimeMinutes", "ArrivalDeadlineSeconds"],
        holds: |value| {
            value("OrdsTicketLifetimeMinutes").saturating_mul(60) >= value("ArrivalDeadlineSeconds")
        },
        text: "OrdsTicketLifetimeMinutes must not be less than ArrivalDeadlineSeconds: the ticket \
               of a push must be valid until its document has arrived",
    },
    Rule {
        settings: &["UrlTtlSeconds", "JobTtlHours"],
        holds: |value| value("UrlTtlSeconds") <= seconds_of_hours(value("JobTtlHours")),
        text: "UrlTtlSeconds must not be greater than JobTtlHours: a URL must not outlive what it \
               leads to",
    },
    Rule {
        settings: &["MaxDeliveriesPerUser", "MaxActiveDeliveries"],
        holds: |value| value("MaxDeliveriesPerUser") <= value("MaxActiveDeliveries"),
        text: "MaxDeliveriesPerUser must not be greater than MaxActiveDeliveries, which bounds it",
    },
    Rule {
        settings: &["MaxActivePerUser", "MaxActiveTransfers"],
        holds: |value| value("MaxActivePerUser") <= value("MaxActiveTransfers"),
        text: "MaxActivePerUser must not be greater than MaxActiveTransfers, which bounds it",
    },
    Rule {
        settings: &["MaxActivePerService", "MaxActiveTransfers"],
        holds: |value| value("MaxActivePerService") <= value("MaxActiveTransfers"),
        text: "MaxActivePerService must not be greater than MaxActiveTransfers, which bounds it",
    },
    Rule {
        settings: &["ApiRateLimit", "ApiBurstLimit"],
        holds: |value| value("ApiRateLimit") <= value("ApiBurstLimit"),
        text: "ApiBurstLimit must not be less than ApiRateLimit: requests would be refused below \
               the rate",
    },
];

/// Converts hours to seconds.
const fn seconds_of_hours(hours: u64) -> u64 {
    hours.saturating_mul(3600)
}

impl Rule {
    /// Returns whether these values break the rule. A rule is not broken while one of its
    /// values is unknown.
    #[must_use]
    pub fn is_broken(&self, value: impl Fn(&str) -> Option<u64>) -> bool {
        let is_known = self.settings.iter().all(|name| value(name).is_some());
        is_known && !(self.holds)(&|name| value(name).unwrap_or_default())
    }
}

/// Returns the environment variable that carries a setting to the functions:
/// `RECORD_TTL_HOURS` for `RecordTtlHours`.
#[must_use]
pub fn variable(setting: &str) -> String {
    let mut name = String::with_capacity(setting.len() + 4);
    for (index, letter) in setting.chars().enumerate() {
        if letter.is_ascii_uppercase() && index > 0 {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn record_must_outlive_its_job_and_the_longest_run() {
        const FOUR_HOURS_IN_SECONDS: u64 = 4 * 3600;
        let is_broken = |record_hours, job_hours, run_seconds: u64| {
            RULES[0].is_broken(|name| match name {
                "RecordTtlHours" => Some(record_hours),
                "JobTtlHours" => Some(job_hours),
                // The third setting of the rule is `TransferDeadlineSeconds`.
                _ => Some(run_seconds),
            })
        };

        assert!(!is_broken(28, 24, FOUR_HOURS_IN_SECONDS));
        assert!(is_broken(28, 24, FOUR_HOURS_IN_SECONDS + 1));
        assert!(is_broken(27, 24, FOUR_HOURS_IN_SECONDS));
    }

    #[test]
    fn rule_with_an_unknown_setting_is_not_broken() {
        let only_file_id_min = |name: &str| (name == "FileIdMin").then_some(7);
        assert!(RULES.iter().all(|rule| !rule.is_broken(only_file_id_min)));
    }

    #[test]
    fn every_rule_names_the_settings_that_it_compares() {
        for rule in RULES.iter().chain(&DEPLOYMENT_RULES) {
            let value_of_listed = |name: &str| -> u64 {
                assert!(rule.settings.contains(&name), "{name} is not listed: {}", rule.text);
                1
            };
            let _ = (rule.holds)(&value_of_listed);
            for name in rule.settings {
                assert!(rule.text.contains(name), "{name} is not in the text: {}", rule.text);
            }
        }
    }

    #[test]
    fn variables_are_named_after_their_settings() {
        assert_eq!(variable("RecordTtlHours"), "RECORD_TTL_HOURS");
        assert_eq!(variable("UploadReadAheadBytes"), "UPLOAD_READ_AHEAD_BYTES");
    }
}
