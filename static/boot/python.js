// Loads PyScript. It prepares workers by evaluating text, which the page's Content-Security-Policy forbids; this page
// has no PyScript workers, so that step is taken out. The import is static so that this runs before PyScript goes on.
import { hooks } from "../vendor/pyscript/core.js";

hooks.worker.onBeforeRunAsync.clear();
