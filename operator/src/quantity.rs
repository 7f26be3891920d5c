//! Sizes as Kubernetes writes them, compared by their bytes.

/// The bytes of a quantity such as `500Mi`, `10G` or `1e9`; `None` if it is none, or has a
/// fraction that whole bytes can't carry.
#[must_use]
pub(crate) fn bytes(text: &str) -> Option<u128> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.');
    let (number, suffix) = text.split_at(digits.unwrap_or(text.len()));
    let (numerator, denominator) = decimal(number)?;
    let scaled = numerator.checked_mul(factor(suffix)?)?;
    (scaled % denominator == 0).then_some(scaled / denominator)
}

/// A decimal number as a fraction.
fn decimal(text: &str) -> Option<(u128, u128)> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = format!("{whole}{fraction}");
    let denominator = 10_u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    Some((digits.parse().ok()?, denominator))
}

fn factor(suffix: &str) -> Option<u128> {
    const KIBI: u128 = 1024;
    let factor = match suffix {
        "" => 1,
        "k" => 1000,
        "M" => 1000_u128.pow(2),
        "G" => 1000_u128.pow(3),
        "T" => 1000_u128.pow(4),
        "P" => 1000_u128.pow(5),
        "E" => 1000_u128.pow(6),
        "Ki" => KIBI,
        "Mi" => KIBI.pow(2),
        "Gi" => KIBI.pow(3),
        "Ti" => KIBI.pow(4),
        "Pi" => KIBI.pow(5),
        "Ei" => KIBI.pow(6),
        exponent => {
            let digits = exponent.strip_prefix(['e', 'E'])?;
            10_u128.checked_pow(digits.parse().ok()?)?
        }
    };
    Some(factor)
}

#[cfg(test)]
mod tests {
    use super::bytes;

    #[test]
    fn sizes_are_read_as_kubernetes_reads_them() {
        for (text, expected) in [
            ("0", Some(0)),
            ("1500", Some(1500)),
            ("1k", Some(1000)),
            ("1Ki", Some(1024)),
            ("500Mi", Some(500 * 1024 * 1024)),
            ("10G", Some(10_000_000_000)),
            ("1.5Gi", Some(1_610_612_736)),
            ("1e9", Some(1_000_000_000)),
            ("2E", Some(2_000_000_000_000_000_000)),
            ("0.3", None),
            ("", None),
            ("Gi", None),
            ("1gi", None),
            ("-1Gi", None),
            ("1.2.3Gi", None),
            ("1e99", None),
        ] {
            assert_eq!(bytes(text), expected, "{text}");
        }
    }
}
