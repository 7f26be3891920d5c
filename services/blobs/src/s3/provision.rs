//! What a bucket needs before servers use it.

use aws_sdk_s3::types::{
    BucketLocationConstraint, CorsConfiguration, CorsRule, CreateBucketConfiguration,
};

use super::S3;
use super::fault::{cause, is_missing};
use crate::Error;

/// The region that is never named when a bucket is made.
const UNNAMED_REGION: &str = "us-east-1";
/// How long a browser need not ask again, in seconds.
const MAX_AGE_S: i32 = 3_600;

impl S3 {
    /// Makes the bucket if it is missing, and lets pages read and write what we sign. Needs the
    /// rights of an administrator; doing it again changes nothing.
    ///
    /// Every page may: the signature in the address is the right, and no cookie goes along. A rule
    /// per server would end at AWS's 100 rules in a bucket.
    ///
    /// # Errors
    /// [`Error::Write`] if the storage refuses it.
    pub async fn provision(&self) -> Result<(), Error> {
        let bucket = self.client.head_bucket().bucket(&*self.bucket);
        match bucket.send().await {
            Ok(_) => {}
            Err(error) if is_missing(&error) => self.create_bucket().await?,
            Err(error) => return Err(Error::Write(cause(error))),
        }
        let rule = CorsRule::builder()
            .allowed_origins("*")
            .allowed_methods("GET")
            .allowed_methods("HEAD")
            .allowed_methods("PUT")
            .allowed_headers("*")
            .max_age_seconds(MAX_AGE_S)
            .build()
            .map_err(|error| Error::Write(error.into()))?;
        let rules = CorsConfiguration::builder()
            .cors_rules(rule)
            .build()
            .map_err(|error| Error::Write(error.into()))?;
        self.client
            .put_bucket_cors()
            .bucket(&*self.bucket)
            .cors_configuration(rules)
            .send()
            .await
            .map(drop)
            .map_err(|error| Error::Write(cause(error)))
    }

    async fn create_bucket(&self) -> Result<(), Error> {
        let region = self.client.config().region().map(ToString::to_string);
        let place = region
            .filter(|region| region != UNNAMED_REGION)
            .map(|region| {
                CreateBucketConfiguration::builder()
                    .location_constraint(BucketLocationConstraint::from(region.as_str()))
                    .build()
            });
        let created = self
            .client
            .create_bucket()
            .bucket(&*self.bucket)
            .set_create_bucket_configuration(place);
        match created.send().await {
            Ok(_) => Ok(()),
            // Another replica was faster.
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|e| e.is_bucket_already_owned_by_you()) =>
            {
                Ok(())
            }
            Err(error) => Err(Error::Write(cause(error))),
        }
    }
}
