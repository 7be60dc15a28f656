import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { Chat } from "./chat";
import "./known";
import { Messages } from "./messages";

createRoot(document.getElementById("root")!).render(<StrictMode><Chat Messages={Messages} /></StrictMode>);
