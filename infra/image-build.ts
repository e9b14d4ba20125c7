/** Image repositories and the builds that fill them (seeds 001 §2.1 and 002 §5): the proxy, and vLLM with its model. */
import { key } from "./encryption.ts";
import { logGroup } from "./log-group.ts";
import { serviceRole } from "./service-role.ts";
import { reference } from "./settings.ts";
import { accountId, named, region, settings } from "./stage.ts";

interface Build {
  label: string;
  repository: string;
  project: string;
  buildspec: string;
  environment: Record<string, string>;
  /** Downloading and baking 16 GB of weights needs the large machine; bundling a proxy does not. */
  computeType: string;
}

const KEPT_IMAGES = 10;

function imageBuild(build: Build): aws.ecr.Repository {
  const repository = new aws.ecr.Repository(`${build.label}Repository`, {
    name: named(build.repository),
    imageScanningConfiguration: { scanOnPush: true },
    encryptionConfigurations: [{ encryptionType: "KMS", kmsKey: key.arn }],
    forceDelete: false,
  });
  new aws.ecr.LifecyclePolicy(`${build.label}Lifecycle`, {
    repository: repository.name,
    policy: $jsonStringify({
      rules: [
        {
          rulePriority: 1,
          description: `Keep the newest ${KEPT_IMAGES} images: enough to roll back to`,
          selection: { tagStatus: "any", countType: "imageCountMoreThan", countNumber: KEPT_IMAGES },
          action: { type: "expire" },
        },
      ],
    }),
  });
  const logs = logGroup(`${build.label}BuildLogs`, `/aws/codebuild/${named(build.project)}`);
  const role = serviceRole(`${build.label}BuildRole`, "codebuild.amazonaws.com", [
    { actions: ["logs:CreateLogStream", "logs:PutLogEvents"], resources: [$interpolate`${logs.arn}:*`] },
    // AWS has no narrower resource for the token; it opens only what the next statement allows.
    { actions: ["ecr:GetAuthorizationToken"], resources: ["*"] },
    {
      actions: [
        "ecr:BatchCheckLayerAvailability",
        "ecr:BatchGetImage",
        "ecr:CompleteLayerUpload",
        "ecr:GetDownloadUrlForLayer",
        "ecr:InitiateLayerUpload",
        "ecr:PutImage",
        "ecr:UploadLayerPart",
      ],
      resources: [repository.arn],
    },
    { actions: ["kms:Decrypt", "kms:GenerateDataKey"], resources: [key.arn] },
  ]);
  const environmentVariables = { ...build.environment, AWS_ACCOUNT_ID: accountId };
  new aws.codebuild.Project(`${build.label}Build`, {
    name: named(build.project),
    serviceRole: role.arn,
    encryptionKey: key.arn,
    artifacts: { type: "NO_ARTIFACTS" },
    source: {
      type: "GITHUB",
      location: settings.sourceRepository,
      buildspec: build.buildspec,
      gitCloneDepth: 1,
    },
    environment: {
      type: "LINUX_CONTAINER",
      image: "aws/codebuild/standard:7.0",
      computeType: build.computeType,
      privilegedMode: true, // Docker inside the build
      environmentVariables: [
        ...Object.entries(environmentVariables).map(([name, value]) => ({ name, value })),
        { name: "REPOSITORY_URL", value: repository.repositoryUrl },
        { name: "AWS_REGION", value: region },
      ],
    },
    logsConfig: { cloudwatchLogs: { groupName: logs.name } },
  });
  return repository;
}

export const proxyRepository = imageBuild({
  label: "Proxy",
  repository: "central-llm-proxy",
  project: "central-llm-proxy-build",
  buildspec: "docker/proxy/buildspec.yml",
  environment: { NODE_IMAGE: reference(settings.nodeImage) },
  computeType: "BUILD_GENERAL1_SMALL",
});

export const modelRepository =
  settings.central &&
  imageBuild({
    label: "Model",
    repository: "mistral8b-vllm",
    project: "mistral8b-vllm-build",
    buildspec: "docker/vllm/buildspec.yml",
    environment: {
      VLLM_IMAGE: reference(settings.central.vllmBase),
      MODEL_SOURCE: settings.central.model.source,
    },
    computeType: "BUILD_GENERAL1_LARGE",
  });
