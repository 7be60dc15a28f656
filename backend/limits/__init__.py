"""What one person or one address may take."""
