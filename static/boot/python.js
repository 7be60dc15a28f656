// Loads PyScript. PyScript prepares workers by evaluating text, which the page's Content-Security-Policy forbids. This
// page has no PyScript workers, so that step is removed. The import is static so that this runs before PyScript continues.
import { hooks } from "../vendor/pyscript/core.js";

hooks.worker.onBeforeRunAsync.clear();
