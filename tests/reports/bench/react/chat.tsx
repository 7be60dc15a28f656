// The article's components: the connection's status, pattern 5, and around them what a chat needs at least.
import { type ComponentType, type FormEvent, useEffect, useState } from "react";
import { type Message, useChatStore } from "./store";
import { disconnectWebSocket, getWebSocketService } from "./websocket";

const ROOM = "general";
const SERVER = new URLSearchParams(location.search).get("server") ?? `${location.origin.replace("http", "ws")}/ws`;

/** The list of messages, in which the pages of the benchmarks differ. */
type Parts = { Messages: ComponentType };

function ConnectionStatus() {
  const isConnected = useChatStore((state) => state.isConnected);
  return isConnected ? null : <div className="lost" role="status">接続が切れています。再接続中...</div>;
}

function Join() {
  const join = useChatStore((state) => state.join);
  const [name, setName] = useState("");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (name.trim()) join(name.trim());
  };
  return (
    <form className="join" onSubmit={submit}>
      <h1>Chat</h1>
      <label htmlFor="name">お名前</label>
      <input id="name" value={name} onChange={(event) => setName(event.target.value)} autoFocus />
      <button type="submit">参加</button>
    </form>
  );
}

function Composer() {
  const name = useChatStore((state) => state.name);
  const addMessage = useChatStore((state) => state.addMessage);
  const [content, setContent] = useState("");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!content.trim()) return;
    const messageId = crypto.randomUUID();
    addMessage({ messageId, senderId: name, senderName: name, content, timestamp: Date.now() });
    getWebSocketService().sendMessage("sendMessage", { clientMessageId: messageId, roomId: ROOM, content });
    setContent("");
  };
  return (
    <form onSubmit={submit}>
      <input value={content} onChange={(event) => setContent(event.target.value)} aria-label="メッセージ" />
      <button type="submit">送信</button>
    </form>
  );
}

function Room({ Messages }: Parts) {
  const name = useChatStore((state) => state.name);
  const leave = useChatStore((state) => state.leave);
  const addMessage = useChatStore((state) => state.addMessage);

  useEffect(() => {
    const wsService = getWebSocketService(SERVER, () => name);
    const unsubscribe = wsService.onMessage((data) => {
      if (data.type === "message") addMessage(data as unknown as Message);
    });
    const handleVisibilityChange = () => {
      if (document.visibilityState === "visible" && !wsService.isConnected()) wsService.connect().catch(console.error);
    };
    wsService.connect().catch(console.error);
    document.addEventListener("visibilitychange", handleVisibilityChange);
    return () => {
      document.removeEventListener("visibilitychange", handleVisibilityChange);
      unsubscribe();
      disconnectWebSocket();
    };
  }, [name, addMessage]);

  return (
    <main className="room">
      <ConnectionStatus />
      <header>{ROOM}: {name} <button onClick={leave}>退出</button></header>
      <Messages />
      <Composer />
    </main>
  );
}

export function Chat(parts: Parts) {
  return useChatStore((state) => state.name) ? <Room {...parts} /> : <Join />;
}
