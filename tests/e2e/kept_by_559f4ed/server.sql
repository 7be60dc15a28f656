PRAGMA application_id = 1265203829;
PRAGMA user_version = 1;
BEGIN TRANSACTION;
CREATE TABLE items (
    pk TEXT NOT NULL,
    sk TEXT NOT NULL,
    attributes TEXT NOT NULL,
    expires_at INTEGER,
    PRIMARY KEY (pk, sk)
) WITHOUT ROWID;
INSERT INTO "items" VALUES('CONFIG','TOKEN_SECRET','{"secret":"639f07ba49d3da452cf714fa92f745413d092a05815c6605eedd00e4a47ed294"}',NULL);
INSERT INTO "items" VALUES('CONNECTION#LTnARmqlYp6Lq7E=','METADATA','{"connectionId":"LTnARmqlYp6Lq7E=","userId":"299e9284cdd55e6b58b0d4a9aa25542f","name":"Ann","state":"active","tokenExpiresAt":1796052399}',1796135199);
INSERT INTO "items" VALUES('CONNECTION#LTnARmqlYp6Lq7E=','ROOM#general','{"roomId":"general"}',1796135199);
INSERT INTO "items" VALUES('CONNECTION#LTnARmqlYp6Lq7E=','ROOM#日本語','{"roomId":"日本語"}',1796135199);
INSERT INTO "items" VALUES('DEDUPE#299e9284cdd55e6b58b0d4a9aa25542f','IeDlwAj0MIDX4olDXewtqg','{"roomId":"日本語","contentHash":"125aeadf27b0459b8760c13a3d80912dfa8a81a68261906f60d87f4a0268646c","messageId":"3ae7e5741dff45a88efd5f577571492e","seq":1,"timestamp":1796048801908}',NULL);
INSERT INTO "items" VALUES('DEDUPE#299e9284cdd55e6b58b0d4a9aa25542f','OeF-Zr_sFm3Vw37HyyieOw','{"roomId":"general","contentHash":"104332715496df1f9d953a16c0598d28b8ac96f7d3a5682825f3d6ca81a98935","messageId":"6fb6ea9b78aa492ebbee2b77959cc10e","seq":1,"timestamp":1796048800087}',NULL);
INSERT INTO "items" VALUES('DEDUPE#299e9284cdd55e6b58b0d4a9aa25542f','ayn7ODfzqmmnggNpojYEOg','{"roomId":"general","contentHash":"69e7674da164d3b204ad5de830c5d61fb878b872a3ec689cd902903e8039b3c3","messageId":"39c3dd560d614ff8825a9f196b11a340","seq":2,"timestamp":1796048801262}',NULL);
INSERT INTO "items" VALUES('DEDUPE#7187874c7e5ff8e4351c4bb643d5b066','9475cd69d08645e6','{"roomId":"general","contentHash":"c18b7d670f15d925380f1d81fccf58c8598f41bdd2434eaaf866440b194fa43b","messageId":"425769622a8f4c01b99ddc47cf67815c","seq":3,"timestamp":1796048801388}',NULL);
INSERT INTO "items" VALUES('ROOM#general','CONNECTION#LTnARmqlYp6Lq7E=','{"connectionId":"LTnARmqlYp6Lq7E=","userId":"299e9284cdd55e6b58b0d4a9aa25542f","name":"Ann","since":1796048799828}',1796052399);
INSERT INTO "items" VALUES('ROOM#general#HEAD','HEAD','{"seq":3,"epoch":"e1c152f38a7941328bb8abb403507c94"}',NULL);
INSERT INTO "items" VALUES('ROOM#general#LOG','0000000000000001','{"messageId":"6fb6ea9b78aa492ebbee2b77959cc10e","clientMessageId":"OeF-Zr_sFm3Vw37HyyieOw","senderId":"299e9284cdd55e6b58b0d4a9aa25542f","senderName":"Ann","content":"Hello from Ann","timestamp":1796048800087}',NULL);
INSERT INTO "items" VALUES('ROOM#general#LOG','0000000000000002','{"messageId":"39c3dd560d614ff8825a9f196b11a340","clientMessageId":"ayn7ODfzqmmnggNpojYEOg","senderId":"299e9284cdd55e6b58b0d4a9aa25542f","senderName":"Ann","content":"絆 👩‍👩‍👧","timestamp":1796048801262}',NULL);
INSERT INTO "items" VALUES('ROOM#general#LOG','0000000000000003','{"messageId":"425769622a8f4c01b99ddc47cf67815c","clientMessageId":"9475cd69d08645e6","senderId":"7187874c7e5ff8e4351c4bb643d5b066","senderName":"Peer","content":"Hello from a peer","timestamp":1796048801388}',NULL);
INSERT INTO "items" VALUES('ROOM#日本語','CONNECTION#LTnARmqlYp6Lq7E=','{"connectionId":"LTnARmqlYp6Lq7E=","userId":"299e9284cdd55e6b58b0d4a9aa25542f","name":"Ann","since":1796048801539}',1796052399);
INSERT INTO "items" VALUES('ROOM#日本語#HEAD','HEAD','{"seq":1,"epoch":"5d53f3513f3048b08adce2bbc09ec7ca"}',NULL);
INSERT INTO "items" VALUES('ROOM#日本語#LOG','0000000000000001','{"messageId":"3ae7e5741dff45a88efd5f577571492e","clientMessageId":"IeDlwAj0MIDX4olDXewtqg","senderId":"299e9284cdd55e6b58b0d4a9aa25542f","senderName":"Ann","content":"こんにちは","timestamp":1796048801908}',NULL);
INSERT INTO "items" VALUES('USER#299e9284cdd55e6b58b0d4a9aa25542f','CONNECTION#LTnARmqlYp6Lq7E=','{"connectionId":"LTnARmqlYp6Lq7E="}',1796135199);
CREATE INDEX items_by_expiry ON items (expires_at) WHERE expires_at IS NOT NULL;
COMMIT;
