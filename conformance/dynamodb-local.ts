/** Amazon's DynamoDB Local, from Maven Central. */
import { existsSync, writeFileSync } from "node:fs";
import { type Engine, startEngine } from "./engine-process.ts";
import { CACHE, fetched, NotHere, need, run } from "./fetched-engine.ts";

/** The last version under this name; 2.6 needs Java 17. Its dependencies bring SQLite for these platforms alone. */
const VERSION = "2.6.1";
const PLATFORMS = ["linux-x64", "darwin-x64"];

const POM = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>central-llm</groupId><artifactId>conformance</artifactId><version>1</version>
  <dependencies>
    <dependency>
      <groupId>com.amazonaws</groupId><artifactId>DynamoDBLocal</artifactId><version>${VERSION}</version>
    </dependency>
  </dependencies>
</project>
`;

/** @throws {NotHere} when this machine cannot run it */
export async function startDynamoDbLocal(): Promise<Engine> {
  const platform = `${process.platform}-${process.arch}`;
  if (!PLATFORMS.includes(platform)) throw new NotHere(`no SQLite library for ${platform} comes with it`);
  need("java", "-version", "Debian: apt-get install openjdk-17-jre-headless");
  const folder = await fetched(`dynamodb-local-${VERSION}`, async (partial) => {
    need("mvn", "-version", "Debian: apt-get install maven");
    writeFileSync(`${partial}/pom.xml`, POM);
    const goal = ["dependency:copy-dependencies", "-DoutputDirectory=lib", "-DincludeScope=runtime"];
    await run("mvn", ["-q", "-B", ...goal], partial);
    if (!existsSync(`${partial}/lib/DynamoDBLocal-${VERSION}.jar`)) throw new NotHere("maven copied no jar");
  });
  return startEngine(
    "DynamoDB Local",
    (port) => [
      ...["java", "-Xmx1g", `-Dsqlite4java.library.path=${folder}/lib`, "-cp", `${folder}/lib/*`],
      "com.amazonaws.services.dynamodbv2.local.main.ServerRunner",
      // It would report its use to Amazon.
      ...["-disableTelemetry", "-inMemory", "-sharedDb", "-port", String(port)],
    ],
    { log: `${CACHE}dynamodb-local.log` },
  );
}
