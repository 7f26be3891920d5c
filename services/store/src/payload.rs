//! What a nonce stands for, as a hash.

use sha2::{Digest as _, Sha256};

use crate::{NewMessage, attachments};

/// Channel ids have one length, and the byte before and behind the files is in no text, so what is
/// hashed is read in one way only.
pub(crate) fn payload_hash(new: &NewMessage) -> [u8; 32] {
    let mut hash = Sha256::new().chain_update(new.channel.as_str());
    if let Some(files) = attachments::write(&new.attachments) {
        hash.update([0xff]);
        hash.update(files);
        hash.update([0xff]);
    }
    hash.chain_update(new.text.as_str()).finalize().into()
}
