// The article's WebSocketService: patterns 1, 2 and 4, and its singleton.
import { useChatStore } from "./store";

type Handler = (data: Record<string, unknown>) => void;

export class WebSocketService {
  private ws: WebSocket | null = null;
  private handlers = new Set<Handler>();
  private reconnectAttempts = 0;
  private maxReconnectAttempts = 5;
  private reconnectDelay = 1000;
  private intentionalClose = false;
  private reconnectTimer: ReturnType<typeof setTimeout> | null = null;
  private heartbeatInterval: ReturnType<typeof setInterval> | null = null;

  constructor(private url: string, private getAccessToken: () => string | null) {}

  connect(): Promise<void> {
    if (this.ws) {
      this.ws.onclose = null;
      this.ws.close();
      this.ws = null;
      this.stopHeartbeat();
    }
    this.intentionalClose = false;

    return new Promise((resolve, reject) => {
      this.ws = new WebSocket(`${this.url}?token=${this.getAccessToken()}`);
      this.ws.onopen = () => {
        this.reconnectAttempts = 0;
        this.startHeartbeat();
        useChatStore.getState().setConnected(true);
        resolve();
      };
      this.ws.onmessage = ({ data }) => {
        const decoded = JSON.parse(data);
        this.handlers.forEach((handler) => handler(decoded));
      };
      this.ws.onerror = () => reject(new Error("WebSocket"));
      this.ws.onclose = () => {
        this.stopHeartbeat();
        useChatStore.getState().setConnected(false);
        if (!this.intentionalClose) this.attemptReconnect();
      };
    });
  }

  disconnect(): void {
    this.intentionalClose = true;
    if (this.reconnectTimer) clearTimeout(this.reconnectTimer);
    this.ws?.close();
  }

  sendMessage(action: string, data: object): void {
    this.ws?.send(JSON.stringify({ action, ...data }));
  }

  onMessage(handler: Handler): () => void {
    this.handlers.add(handler);
    return () => this.handlers.delete(handler);
  }

  isConnected(): boolean {
    return this.ws?.readyState === WebSocket.OPEN;
  }

  private attemptReconnect(): void {
    if (this.reconnectAttempts >= this.maxReconnectAttempts) {
      console.error("Max reconnect attempts reached");
      return;
    }
    this.reconnectAttempts++;
    const delay = this.reconnectDelay * Math.pow(2, this.reconnectAttempts - 1);
    this.reconnectTimer = setTimeout(() => {
      this.reconnectTimer = null;
      this.connect().catch(() => {});
    }, delay);
  }

  private startHeartbeat(): void {
    this.stopHeartbeat();
    this.heartbeatInterval = setInterval(() => {
      if (this.isConnected()) this.sendMessage("ping", {});
    }, 30000);
  }

  private stopHeartbeat(): void {
    if (this.heartbeatInterval !== null) {
      clearInterval(this.heartbeatInterval);
      this.heartbeatInterval = null;
    }
  }
}

let wsService: WebSocketService | null = null;

export function getWebSocketService(url?: string, getAccessToken?: () => string | null): WebSocketService {
  if (!wsService && url && getAccessToken) wsService = new WebSocketService(url, getAccessToken);
  if (!wsService) throw new Error("WebSocketService not initialized");
  return wsService;
}

export function disconnectWebSocket(): void {
  if (wsService) {
    wsService.disconnect();
    wsService = null;
  }
}
