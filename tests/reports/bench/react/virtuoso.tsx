// The article's page with a virtual list: react-virtuoso has elements for what is visible, and follows the end.
import { StrictMode, useRef } from "react";
import { createRoot } from "react-dom/client";
import { Virtuoso, type VirtuosoHandle } from "react-virtuoso";
import { Chat } from "./chat";
import "./known";
import { useChatStore } from "./store";

function Messages() {
  const messages = useChatStore((state) => state.messages);
  const list = useRef<VirtuosoHandle>(null);
  // In a flood, followOutput and scrollToIndex lose the end.
  const follow = () => requestAnimationFrame(() => list.current?.scrollTo({ top: Number.MAX_SAFE_INTEGER }));
  return (
    <Virtuoso
      ref={list}
      className="virtual"
      role="log"
      totalListHeightChanged={follow}
      data={messages}
      computeItemKey={(_, { messageId }) => messageId}
      itemContent={(_, { senderName, content }) => <><b>{senderName}</b> {content}</>}
    />
  );
}

createRoot(document.getElementById("root")!).render(<StrictMode><Chat Messages={Messages} /></StrictMode>);
