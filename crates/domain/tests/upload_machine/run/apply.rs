//! Effects of the commands on the simulated drive and on the recorded state. Apart from
//! [`Storing`], this file knows no faults.

use docferry_domain::failure::FailureCode;
use docferry_domain::upload::{CandidateNames, Command, DriveEvent, FragmentRange};

use super::Run;
use super::state::Request;
use crate::drive::{Content, File, ReceivedFragment, Storing, occupancy};

impl Run {
    /// Lets a request take effect, and returns its result.
    pub(super) fn apply(&mut self, request: Request) -> DriveEvent {
        match request.command {
            Command::QuerySession => self.drive.query_session(request.session()),
            Command::OpenSession => self.drive.open_session(),
            Command::CloseSession => self.drive.close_session(request.session()),
            Command::LookUp(names) => self.look_up(names),
            Command::HashSource { until } => DriveEvent::Hashed(until),
            Command::LoadDocument => DriveEvent::Loaded,
            Command::PutDocument { number } => self.put_document(request, number),
            Command::SendFragment(range) => self.send_fragment(request, range),
            Command::Verify { answers_last_byte } => self.verify(answers_last_byte),
            Command::RenewSource => self.renew_source(),
            Command::End(_) => unreachable!("the command has no effect"),
        }
    }

    fn look_up(&mut self, names: CandidateNames) -> DriveEvent {
        let found = self.drive.files_under(names);
        let occupancy = occupancy(&found, self.case.total);
        self.invocation.looked_up_files = found;
        DriveEvent::Found(occupancy)
    }

    fn put_document(&mut self, request: Request, number: u32) -> DriveEvent {
        let size = match request.storing {
            Storing::All => self.case.total,
            Storing::WrongSize => self.case.total + 1,
            Storing::FirstPercent(_) => return DriveEvent::Lost,
        };
        let file = File { size, content: Content::Version(request.version) };
        let result = self.drive.put_file(number, file);
        if result == DriveEvent::Complete {
            self.invocation.completed_file = Some(file);
        }
        result
    }

    fn send_fragment(&mut self, request: Request, range: FragmentRange) -> DriveEvent {
        let Request { version, storing, .. } = request;
        let fragment = ReceivedFragment { range, version, storing };
        let result = self.drive.store_fragment(request.session(), &fragment);
        if result == DriveEvent::Complete {
            let size = match storing {
                Storing::WrongSize => self.case.total - 1,
                Storing::All | Storing::FirstPercent(_) => self.case.total,
            };
            // A verification must not hide that the upload mixed versions of the source. So this
            // file looks as if all its bytes had the version of the last fragment. The final
            // checks inspect the file on the drive and find the mix.
            let content = Content::Version(version);
            self.invocation.completed_file = Some(File { size, content });
        }
        result
    }

    fn verify(&mut self, answers_last_byte: bool) -> DriveEvent {
        if self.verifications_until_hash > 0 {
            self.verifications_until_hash -= 1;
            return DriveEvent::HashPending;
        }
        let document =
            File { size: self.case.total, content: Content::Version(self.recorded_version) };
        if self.files_to_verify(answers_last_byte).contains(&document) {
            DriveEvent::Verified
        } else {
            DriveEvent::OtherFile
        }
    }

    /// Returns the files one of which must be the document.
    fn files_to_verify(&self, answers_last_byte: bool) -> Vec<File> {
        if let Some(file) = self.invocation.completed_file {
            vec![file]
        } else if answers_last_byte {
            // An earlier invocation sent the last byte. The test does not remember which file
            // that completed.
            self.drive.files.values().copied().collect()
        } else {
            self.invocation.looked_up_files.clone()
        }
    }

    /// Records the new entity tag of the source, unless the source is another document.
    fn renew_source(&mut self) -> DriveEvent {
        if self.is_source_other_document {
            return DriveEvent::Refused(FailureCode::SourceChanged);
        }
        self.recorded_version = self.source_version;
        DriveEvent::Renewed
    }
}
