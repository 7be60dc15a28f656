// The article's page with a virtual list: react-virtuoso has elements for what is visible, and follows the end.
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { Virtuoso } from "react-virtuoso";
import { Chat } from "./chat";
import "./known";
import { useChatStore } from "./store";

function Messages() {
  const messages = useChatStore((state) => state.messages);
  return (
    <Virtuoso
      className="virtual"
      role="log"
      data={messages}
      followOutput={() => "auto"}
      computeItemKey={(_, { messageId }) => messageId}
      itemContent={(_, { senderName, content }) => <><b>{senderName}</b> {content}</>}
    />
  );
}

createRoot(document.getElementById("root")!).render(<StrictMode><Chat Messages={Messages} /></StrictMode>);
