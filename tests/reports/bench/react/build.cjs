// Builds this page as one does for production: bundled and minified into the folder that is named, by esbuild.
const { copyFileSync } = require("node:fs");
const { join } = require("node:path");
const { buildSync } = require("esbuild");

const [folder] = process.argv.slice(2);
buildSync({
  absWorkingDir: __dirname,
  entryPoints: ["main.tsx", "main.css"],
  outdir: join(folder, "assets"),
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  jsx: "automatic",
  define: { "process.env.NODE_ENV": '"production"' },
  nodePaths: (process.env.NODE_PATH ?? "").split(":").filter(Boolean),
  logLevel: "error",
});
copyFileSync(join(__dirname, "index.html"), join(folder, "index.html"));
