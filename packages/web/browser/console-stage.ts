/** The console as people meet it: the whole local platform, a Chromium, and people who are signed in. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { DeleteItemCommand, DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { objectKey } from "@central-llm/core/audit-key";
import type { AuditRecord } from "@central-llm/core/audit-record";
import type { Facets } from "@central-llm/functions/api/contract-chart";
import { clientSettings } from "@central-llm/local/audit-platform";
import { freeOffset, type Instance, LocalPlatforms } from "@central-llm/local/testing/local-platform";
import { signIn } from "@central-llm/local/testing/sign-in";
import type { Browser, BrowserContext, BrowserContextOptions, Page } from "playwright-core";
import { expect } from "vitest";
import { launchChromium } from "./chromium.ts";

export type Person = "viewer" | "project-viewer" | "auditor" | "operator" | "admin";

/** One zone and one language, so that every machine sees the same pages. */
export const CONTEXT: BrowserContextOptions = {
  viewport: { width: 1280, height: 860 },
  locale: "en-GB",
  timezoneId: "Europe/Berlin",
  reducedMotion: "reduce",
  acceptDownloads: true,
};

export class ConsoleStage {
  readonly instance: Instance;
  readonly browser: Browser;
  readonly url: string;
  /** What the pages' consoles said that they should not have. */
  readonly complaints: string[] = [];
  readonly #platforms: LocalPlatforms;
  readonly #folder: string;
  readonly #s3: S3Client;
  readonly #dynamoDb: DynamoDBClient;
  readonly #contexts = new Map<Person, Promise<BrowserContext>>();

  private constructor(instance: Instance, browser: Browser, platforms: LocalPlatforms, folder: string) {
    this.instance = instance;
    this.browser = browser;
    this.url = instance.env.CONSOLE_URL ?? "";
    this.#platforms = platforms;
    this.#folder = folder;
    const { AWS_ENDPOINT_URL = "", AWS_REGION = "" } = instance.env;
    const settings = clientSettings({ url: AWS_ENDPOINT_URL, region: AWS_REGION });
    this.#s3 = new S3Client(settings);
    this.#dynamoDb = new DynamoDBClient(settings);
  }

  static async start(): Promise<ConsoleStage> {
    const folder = await mkdtemp(join(tmpdir(), "central-llm-console-"));
    const platforms = new LocalPlatforms(folder);
    const [instance, browser] = await Promise.all([
      platforms.start("console", await freeOffset(), [], { ROLLUP_EVERY: "1" }),
      launchChromium(),
    ]);
    return new ConsoleStage(instance, browser, platforms, folder);
  }

  async stop(): Promise<void> {
    await this.browser.close();
    this.#s3.destroy();
    this.#dynamoDb.destroy();
    await this.#platforms.stop(this.instance);
    await rm(this.#folder, { recursive: true, force: true });
  }

  /** Puts objects where a proxy puts its records; the platform makes rows of them. */
  async store(...records: AuditRecord[]): Promise<void> {
    await Promise.all(records.map((record) => this.storeText(keyOf(record), JSON.stringify(record))));
  }

  /** Takes a record's row out of the table, once it is there: its object stays. */
  async forget({ projectId, receivedAt, requestId }: AuditRecord): Promise<void> {
    const Key = { id: { S: `project#${projectId}` }, createdAt: { S: `${receivedAt}#${requestId}` } };
    await soon(async () => {
      const { Attributes } = await this.#dynamoDb.send(
        new DeleteItemCommand({ TableName: this.instance.env.TABLE_NAME, Key, ReturnValues: "ALL_OLD" }),
      );
      return Attributes?.requestId?.S;
    }).toBe(requestId);
  }

  async storeText(key: string, text: string): Promise<void> {
    await this.#s3.send(
      new PutObjectCommand({ Bucket: this.instance.env.AUDIT_BUCKET, Key: key, Body: text }),
    );
  }

  /** Waits until that many calls of each project are in the charts: then they are in the lists as well. */
  async counted(calls: ReadonlyMap<string, number>): Promise<void> {
    const { tokens } = await signIn(this.url, "viewer", await this.password("viewer"));
    const from = new Date(Date.now() - 7 * 86_400_000).toISOString();
    for (const deadline = Date.now() + 60_000; ; await delay(200)) {
      const query = new URLSearchParams({ from, to: new Date().toISOString(), fields: "project" });
      const response = await fetch(`${this.url}/api/facets?${query}`, {
        headers: { authorization: `Bearer ${tokens.access_token}` },
      });
      const answer = (await response.json()) as Facets;
      const found = new Map(answer.fields.project?.values.map(({ value, requests }) => [value, requests]));
      if ([...calls].every(([project, count]) => found.get(project) === count)) return;
      if (Date.now() > deadline) throw new Error(`not counted in a minute: ${JSON.stringify([...found])}`);
    }
  }

  async password(person: Person): Promise<string> {
    const file = join(this.#folder, "console", "console", "accounts.json");
    const accounts: { name: string; password: string }[] = JSON.parse(await readFile(file, "utf8"));
    return accounts.find(({ name }) => name === person)?.password ?? "";
  }

  /** A new page of somebody's browser, at an address of the console. The first one signs in. */
  async open(person: Person, path = "/"): Promise<Page> {
    let context = this.#contexts.get(person);
    if (!context) {
      context = this.browser.newContext(CONTEXT);
      this.#contexts.set(person, context);
    }
    return this.openIn(await context, person, path);
  }

  async openIn(context: BrowserContext, person: Person, path: string): Promise<Page> {
    const page = await context.newPage();
    page.on("pageerror", (error) => this.complaints.push(`${path}: ${error.message}`));
    page.on("console", (message) => {
      const text = message.text();
      // Chromium says this of every status from 400 on, asked for or not.
      if (message.type() !== "error" || text.startsWith("Failed to load resource")) return;
      this.complaints.push(`${path}: ${text}`);
    });
    return this.signIn(page, person, path);
  }

  /** Opens an address, by way of the issuer's form when it asks. */
  async signIn(page: Page, person: Person, path: string): Promise<Page> {
    page.setDefaultTimeout(30_000);
    await page.goto(this.url + path);
    const signIn = page.getByRole("button", { name: "Sign in", exact: true });
    const navigation = page.getByRole("navigation", { name: "Pages", exact: true });
    await signIn.or(navigation).or(menu(page)).first().waitFor();
    if (await signIn.isVisible()) {
      await page.getByLabel("Name").fill(person);
      await page.getByLabel("Password").fill(await this.password(person));
      await signIn.click();
    }
    await navigation.or(menu(page)).first().waitFor();
    await page.getByRole("heading", { level: 1 }).waitFor();
    return page;
  }
}

/** On narrow screens the navigation is behind it. */
export const menu = (page: Page) => page.getByRole("button", { name: "Menu" });

export const keyOf = ({ receivedAt, requestId }: Pick<AuditRecord, "receivedAt" | "requestId">) =>
  objectKey("logs", receivedAt, requestId);

/** The request ids of a table's rows, top down. */
export const rowsOf = (page: Page, table: string) =>
  page.getByRole("table", { name: table }).locator("tbody").getByRole("row");

/** Polls what the platform makes in its own time: rows, counts, files. */
export const soon = <T>(ask: () => Promise<T> | T) => expect.poll(ask, { interval: 100 });
