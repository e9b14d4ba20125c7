/** A name below the stage's domain with a certificate for it, proven through the domain's own zone. */
import { settings } from "./stage.ts";

export const { zoneId } = aws.route53.getZoneOutput({ name: settings.domain });

export function certificateFor(label: string, host: string): $util.Output<string> {
  const certificate = new aws.acm.Certificate(`${label}Certificate`, {
    domainName: host,
    validationMethod: "DNS",
  });
  const proof = certificate.domainValidationOptions.apply((options) => {
    const [option] = options;
    if (!option) throw new Error("ACM asks for one proof a name");
    return option;
  });
  const record = new aws.route53.Record(`${label}CertificateProof`, {
    zoneId,
    name: proof.resourceRecordName,
    type: proof.resourceRecordType,
    records: [proof.resourceRecordValue],
    ttl: 300,
  });
  return new aws.acm.CertificateValidation(`${label}CertificateProven`, {
    certificateArn: certificate.arn,
    validationRecordFqdns: [record.fqdn],
  }).certificateArn;
}

export function pointTo(
  label: string,
  host: string,
  target: { dnsName: $util.Input<string>; zoneId: $util.Input<string> },
) {
  new aws.route53.Record(`${label}Name`, {
    zoneId,
    name: host,
    type: "A",
    aliases: [{ name: target.dnsName, zoneId: target.zoneId, evaluateTargetHealth: true }],
  });
}
