/** Imported before anything else: on an older Node the rest fails with riddles. */
const major = Number(process.versions.node.split(".")[0]);
if (major < 24) {
  console.error(
    `Central LLM runs on Node 24, which its packages bring along; this is ${process.version} (${process.execPath}).\n` +
      "Start it with `npm start`, which puts that Node first.",
  );
  process.exit(1);
}
