// A shopping cart: lines of products, their sums and the discount.
export interface CartLine {
  product: string;
  price: number;
  quantity: number;
}

export class Cart {
  private lines: CartLine[] = [];

  add(product: string, price: number, quantity = 1): void {
    const line = this.lines.find((l) => l.product === product);
    if (line) {
      line.quantity += quantity;
    } else {
      this.lines.push({ product, price, quantity });
    }
  }

  remove(product: string): void {
    this.lines = this.lines.filter((l) => l.product !== product);
  }

  total(): number {
    return this.lines.reduce((sum, l) => sum + l.price * l.quantity, 0);
  }
}
