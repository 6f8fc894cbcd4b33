//! Input files of the operators' commands, such as `docferry documents import`.

use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom};
use std::path::Path;

use crate::error::CliError;

/// Number of bytes that are read at once.
const CHUNK_BYTES: usize = 256 * 1024;

/// Input that can be read more than once: a file, or the buffered bytes of a pipe.
#[derive(Debug)]
pub(crate) struct Input {
    name: String,
    content: Content,
}

#[derive(Debug)]
enum Content {
    File(File),
    /// A pipe can be read only once, so its bytes are in memory.
    Buffer(Vec<u8>),
}

impl Input {
    /// Opens the file, or standard input if the path is `-`.
    ///
    /// # Errors
    /// [`CliError::Input`] when the file or standard input cannot be read.
    pub(crate) fn open(path: &Path) -> Result<Self, CliError> {
        if path == Path::new("-") {
            return Self::buffer("standard input".to_owned(), io::stdin().lock());
        }
        let name = format!("the file {}", path.display());
        let input_error = |source| CliError::Input { name: name.clone(), source };
        let file = File::open(path).map_err(input_error)?;
        let is_seekable = file.metadata().map_err(input_error)?.is_file();
        if is_seekable {
            Ok(Self { name, content: Content::File(file) })
        } else {
            Self::buffer(name, file)
        }
    }

    /// Reads a pipe into memory.
    fn buffer(name: String, mut reader: impl Read) -> Result<Self, CliError> {
        let mut bytes = Vec::new();
        match reader.read_to_end(&mut bytes) {
            Ok(_) => Ok(Self { name, content: Content::Buffer(bytes) }),
            Err(source) => Err(CliError::Input { name, source }),
        }
    }

    /// Reads the whole input.
    ///
    /// # Errors
    /// [`CliError::Input`] when the file cannot be read.
    pub(crate) fn read_all(&mut self) -> Result<Vec<u8>, CliError> {
        let mut chunks = self.chunks()?;
        let mut bytes = Vec::new();
        while let Some(chunk) = chunks.next_chunk()? {
            bytes.extend_from_slice(chunk);
        }
        Ok(bytes)
    }

    /// Starts to read the input from the beginning.
    ///
    /// # Errors
    /// [`CliError::Input`] when the file cannot be read.
    pub(crate) fn chunks(&mut self) -> Result<Chunks<'_>, CliError> {
        let name = &self.name;
        let reader: Box<dyn Read> = match &mut self.content {
            Content::File(file) => {
                let rewound = file.seek(SeekFrom::Start(0));
                rewound.map_err(|source| CliError::Input { name: name.clone(), source })?;
                Box::new(file)
            }
            Content::Buffer(bytes) => Box::new(bytes.as_slice()),
        };
        Ok(Chunks { name, reader, buffer: vec![0; CHUNK_BYTES] })
    }
}

/// Chunks of an input, in the order of the input.
pub(crate) struct Chunks<'a> {
    name: &'a str,
    reader: Box<dyn Read + 'a>,
    buffer: Vec<u8>,
}

impl Chunks<'_> {
    /// Returns the next chunk, or `None` at the end of the input.
    ///
    /// # Errors
    /// [`CliError::Input`] when the file cannot be read.
    pub(crate) fn next_chunk(&mut self) -> Result<Option<&[u8]>, CliError> {
        loop {
            match self.reader.read(&mut self.buffer) {
                Ok(0) => return Ok(None),
                Ok(length) => return Ok(self.buffer.get(..length)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => {
                    return Err(CliError::Input { name: self.name.to_owned(), source });
                }
            }
        }
    }
}
